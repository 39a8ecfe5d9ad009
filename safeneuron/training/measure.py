"""What runs have made of a model, on prompts that nobody trained on: the table of README's section on masked DPO.

    python -m safeneuron runs measure RUN [RUN ...] --harmful FILE --benign FILE

Of the parent and of each run's model: refusals of the harmful prompts as it is, without the FULL set of the parent
(static), and in rounds of iterative pruning, whose first is FULL found again on the model itself (adaptive); refusals
of the benign prompts and of the built-in safe twins' test part; and how unexpected the parent's own benign answers
are to it. Greedy answers of 64 new tokens, last-token pooling, the model's own thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.iterative_pruning import AttackSettings, IterativePruning, iterative_pruning
from safeneuron.models.catalogue import open_model
from safeneuron.neurons import NeuronSet
from safeneuron.perplexity import perplexity
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import KeptAnswer, KeptAnswers
from safeneuron.prompts.evaluated import EvaluationPrompts
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judging import judged_rate
from safeneuron.refusal.rates import Rate
from safeneuron.runs import store
from safeneuron.runs.info import RunInfo
from safeneuron.scores.presets import thresholds_of
from safeneuron.scoring import score_table

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


@dataclass(frozen=True)
class Measured:
    """One model's refusals.

    Parameters
    ----------
    name, model : str
        For people, and what ``--model`` takes.
    full : int
        Neurons in the FULL set of the parent.
    static : Rate
        Of the harmful prompts, with that set switched off.
    pruning : IterativePruning
        Of the harmful prompts: as it is, with FULL as found on it, and so on; and with random neurons switched off.
    benign, twins : Rate
        As it is.
    perplexity : float
        Of the parent's own answers to the benign prompts, as a multiple of what it is to the parent.
    """

    name: str
    model: str
    full: int
    static: Rate
    pruning: IterativePruning
    benign: Rate
    twins: Rate
    perplexity: float

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON-ready row per number."""
        rounds, random = self.pruning.rounds, self.pruning.random
        rates = [
            ("harmful, ORI", 0, rounds[0].refusal),
            ("harmful, FULL of the parent", self.full, self.static),
            *((f"harmful, iterative pruning, round {one.round}", len(one.neurons), one.refusal) for one in rounds[1:]),
            *([("harmful, as many random neurons", len(rounds[-1].neurons), random)] if random else ()),
            ("benign, ORI", 0, self.benign),
            ("safe twins, ORI", 0, self.twins),
        ]
        rows = [
            {"model": self.name, "measured": measured, "neurons": neurons, **found.to_row()}
            for measured, neurons, found in rates
        ]
        return [*rows, {"model": self.name, "measured": "benign perplexity, : parent", "value": self.perplexity}]


def measure_runs(
    runs: Sequence[str],
    prompts: EvaluationPrompts,
    settings: AttackSettings = AttackSettings(),
    progress: Progress = silent,
) -> list[Measured]:
    """Measure the parent of some runs and the model of each; answers that were given before are read from disk.

    Parameters
    ----------
    runs : sequence of str
        Ids of finished runs of one parent.
    prompts : EvaluationPrompts
    settings : AttackSettings
        Of the iterative pruning, and the judge of all rates.
    progress : Progress

    Raises
    ------
    UserError
        When a run has not finished, trained no model, or has another parent than the first.
    """
    infos = [_finished(run) for run in runs]
    parents = dict.fromkeys(info.parameters["model"] for info in infos)
    if len(parents) > 1:
        raise UserError(
            f"The runs were trained from different models ({', '.join(parents)}); measure those of one model together."
        )
    parent = open_model(next(iter(parents)), progress)
    # One threshold for all: each family has its own, and a run's model is of its parent's.
    settings = replace(settings, thresholds=settings.thresholds or thresholds_of(parent.card))
    full = score_table(parent, progress=progress).select(settings.thresholds)["FULL"]
    answers = KeptAnswers(parent.fingerprint, None, settings.max_new_tokens).answers(
        parent, prompts.benign.prompts, progress
    )
    before = perplexity(parent, answers, progress=progress)
    source = parent.card.source
    found = [_measured(parent, parent.card.title, source, full, answers, before, prompts, settings, progress)]
    # One model in memory at a time.
    del parent
    for info in infos:
        trained = open_model(info.source, progress)
        name = f"{info.name} ({info.id[:8]})"
        found.append(_measured(trained, name, info.source, full, answers, before, prompts, settings, progress))
        del trained
    return found


def _finished(run: str) -> RunInfo:
    info = store.get_run(run)
    if info.status != "finished" or "model" not in info.parameters:
        raise UserError(f"The run {info.id[:8]} ({info.name}) has no trained model to measure; name a finished one.")
    return info


def _measured(
    loaded: "LoadedModel",
    name: str,
    source: str,
    full: NeuronSet,
    parents_answers: Sequence[KeptAnswer],
    before: float,
    prompts: EvaluationPrompts,
    settings: AttackSettings,
    progress: Progress,
) -> Measured:
    def rate_of(asked: PromptSet, neurons: NeuronSet | None) -> Rate:
        kept = KeptAnswers(loaded.fingerprint, neurons, settings.max_new_tokens)
        return judged_rate(loaded, neurons, kept.answers(loaded, asked.prompts, progress), settings.judge, progress)

    return Measured(
        name,
        source,
        len(full),
        rate_of(prompts.harmful, full),
        iterative_pruning(loaded, prompts.harmful, settings, progress),
        rate_of(prompts.benign, None),
        rate_of(prompts.twins, None),
        perplexity(loaded, parents_answers, progress=progress) / before,
    )
