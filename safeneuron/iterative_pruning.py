"""Iterative pruning, an attacker who adapts: find the safety neurons that are left, switch them off too, and again.

NeuronGuard (arXiv 2608.23959; paper.md 5.7) attacks a defended model in five rounds of: fit on the model with what was
found before at zero, add what is found, zero it. Their neurons are found by a probe; here they are FULL, ES and SAS at
the model's own thresholds, so that the attack is the one that a run trains against, carried on. Beside it, as for any
ablation, as many random neurons are switched off.

Whatever a whole evaluation needs is kept round by round (scores, answers), so that an attack that was stopped goes on.
Reading a kept attack needs no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet, random_like
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.answers import MAX_NEW_TOKENS, KeptAnswers
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import DEFAULT_JUDGE
from safeneuron.refusal.judging import judged_rate
from safeneuron.refusal.rates import Rate
from safeneuron.scores.score import check_thresholds
from safeneuron.scoring import score_table
from safeneuron.statistics import Pooling, check_pooling
from safeneuron.workspace import fingerprint, workspace, write_json

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

ROUNDS = 5
"""NeuronGuard's."""
RESULT = "result.json"


@dataclass(frozen=True)
class PruningRound:
    """What the model refuses after one round of the attack.

    Parameters
    ----------
    round : int
        0 is the model as it is.
    added : int
        Neurons that were found in this round and in none before.
    neurons : NeuronSet
        All that are switched off.
    refusal : Rate
        On harmful prompts, under this ablation.
    """

    round: int
    added: int
    neurons: NeuronSet
    refusal: Rate

    def to_row(self) -> dict[str, Any]:
        """Return the round as it is printed."""
        return {
            "round": self.round,
            "added": self.added,
            "neurons": len(self.neurons),
            "share": self.neurons.share,
            **self.refusal.to_row("refusal_rate"),
        }


@dataclass(frozen=True)
class IterativePruning:
    """An attack on a model, and its control.

    Parameters
    ----------
    model : str
        Fingerprint of the model that was attacked.
    rounds : tuple of PruningRound
        That before the first among them.
    random : Rate or None
        With as many random neurons of each layer switched off as after the last round; None where the attack found
        no neurons, or more than half of a layer.
    """

    model: str
    rounds: tuple[PruningRound, ...]
    random: Rate | None

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON-ready row per round."""
        return [one.to_row() for one in self.rounds]

    def control_row(self) -> dict[str, Any] | None:
        """Return the control as a row like those of the rounds."""
        last = self.rounds[-1].to_row()
        return None if self.random is None else last | {"added": None} | self.random.to_row("refusal_rate")


@dataclass(frozen=True)
class AttackSettings:
    """What an attack depends on, beside the model and the prompts.

    Parameters
    ----------
    rounds : int
    thresholds : mapping of str to float
        By name of score; those left out take the score's default.
    pooling : {"last", "max", "mean"}
    judge : str
    max_new_tokens : int
    """

    rounds: int = ROUNDS
    thresholds: Mapping[str, float] | None = None
    pooling: Pooling = "last"
    judge: str = DEFAULT_JUDGE
    max_new_tokens: int = MAX_NEW_TOKENS

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UserError("Iterative pruning takes at least one round; raise --rounds.")
        check_thresholds(self.thresholds or {})
        check_pooling(self.pooling)


def iterative_pruning(
    loaded: "LoadedModel",
    prompts: PromptSet | None = None,
    settings: AttackSettings = AttackSettings(),
    progress: Progress = silent,
) -> IterativePruning:
    """Return the kept attack, or carry it out and keep it; a person's corrections are not in it.

    It ends early once nothing is found that was not found before: the rounds after would be the same.

    Parameters
    ----------
    loaded : LoadedModel
    prompts : PromptSet, optional
        Harmful ones to ask; the built-in ``test`` part by default.
    settings : AttackSettings
    progress : Progress
        Told the round as step, with the share of the whole attack done.
    """
    prompts = prompts or builtin.harmful("test")
    kept = kept_iterative_pruning(loaded.fingerprint, prompts, settings)
    if kept:
        return kept
    neurons = NeuronSet("FULL", loaded.fingerprint, loaded.shape, frozenset(), {"iterative pruning": 0})
    rounds: list[PruningRound] = []

    def refused_under(neurons: NeuronSet, report: Progress) -> Rate:
        kept = KeptAnswers(loaded.fingerprint, neurons, settings.max_new_tokens)
        answers = kept.answers(loaded, prompts.prompts, report)
        return judged_rate(loaded, neurons, answers, settings.judge)

    for number in range(settings.rounds + 1):

        def report(step: str, fraction: float, start: float = 0.0) -> None:
            progress(f"Round {number}: {step}", (number + (start + fraction) / 2) / (settings.rounds + 2))

        found = neurons if number == 0 else found_under(loaded, neurons, settings, report)
        added = len(found) - len(neurons)
        if number and not added:
            break
        neurons = replace(found, origin={"iterative pruning": number, "thresholds": settings.thresholds})
        refusal = refused_under(neurons, lambda step, share: report(step, share, 1.0))
        rounds.append(PruningRound(number, added, neurons, refusal))
    random = None
    if neurons and 2 * max(neurons.per_layer()) <= neurons.shape[1]:
        random = refused_under(
            random_like(neurons, seed=0),
            lambda step, share: progress(f"Control: {step}", (settings.rounds + 1 + share) / (settings.rounds + 2)),
        )
    attack = IterativePruning(loaded.fingerprint, tuple(rounds), random)
    _keep(attack, prompts, settings)
    return attack


def found_under(
    loaded: "LoadedModel", neurons: NeuronSet, settings: AttackSettings, progress: Progress = silent
) -> NeuronSet:
    """Return these neurons, and those of FULL on the model with these at zero."""
    from safeneuron.ablation.hooks import ablate

    # To whoever keeps its scores this is another model: one in which these neurons are silent.
    name = fingerprint("ablated", loaded.fingerprint, sorted(neurons.neurons)) if neurons else loaded.fingerprint
    ablated = replace(loaded, card=replace(loaded.card, fingerprint=name))
    with ablate(loaded, neurons):
        table = score_table(ablated, pooling=settings.pooling, progress=progress)
    full = table.select(settings.thresholds)["FULL"]
    return replace(neurons, neurons=neurons.neurons | full.neurons)


def kept_iterative_pruning(model: str, prompts: PromptSet, settings: AttackSettings) -> IterativePruning | None:
    """Return the attack on the model with this fingerprint if it was carried out before, else None.

    A damaged one counts as none, since it can be made again.
    """
    try:
        facts = json.loads((_folder(model, prompts, settings) / RESULT).read_text(encoding="utf-8"))
        rounds = tuple(
            PruningRound(one["round"], one["added"], NeuronSet.from_json(one["neurons"]), Rate(**one["refusal"]))
            for one in facts["rounds"]
        )
        return IterativePruning(facts["model"], rounds, facts["random"] and Rate(**facts["random"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(attack: IterativePruning, prompts: PromptSet, settings: AttackSettings) -> None:
    rounds = [vars(one) | {"neurons": one.neurons.to_json(), "refusal": asdict(one.refusal)} for one in attack.rounds]
    random = attack.random and asdict(attack.random)
    write_json(
        _folder(attack.model, prompts, settings) / RESULT, {"model": attack.model, "rounds": rounds, "random": random}
    )


def _folder(model: str, prompts: PromptSet, settings: AttackSettings) -> Path:
    return (
        workspace() / "iterative_pruning" / fingerprint("iterative pruning", model, prompts.prompts, asdict(settings))
    )
