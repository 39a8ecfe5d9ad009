"""Preference pairs: what the model should rather say, and what it should rather not.

Built from the project's own prompts and the model's own answers (paper.md 2.5; the paper mixes
safety pairs with general ones against over-refusal):

- harmful prompt: a refusal is preferred to what the model says with the neuron set ablated;
- safe twin, benign prompt: the model's own answer is preferred to a refusal.

The answers are kept (answers.py), so a run that was cancelled, or one that wants more pairs, never
has the same answer generated twice.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.answers import MAX_NEW_TOKENS, KeptAnswers, whole_sentences
from safeneuron.refusal.judge import DEFAULT_JUDGE, judge_named, verdict_of

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

Kind = Literal["harmful", "twin", "benign", "own"]
STEP = "Building preference pairs"


@dataclass(frozen=True)
class PreferencePair:
    """A prompt with a better and a worse answer.

    Parameters
    ----------
    prompt, chosen, rejected : str
        Bare texts; the chat template is applied when training starts.
    kind : {"harmful", "twin", "benign", "own"}
        ``own`` are those of a person's file that does not say.
    earlier : tuple of (str, str)
        Role and text of what was said before the prompt.
    """

    prompt: str
    chosen: str
    rejected: str
    kind: Kind = "own"
    earlier: tuple[tuple[str, str], ...] = ()


def build_pairs(
    loaded: "LoadedModel",
    neurons: NeuronSet,
    part: builtin.Part = "train",
    harmful_count: int = 96,
    twin_count: int = 48,
    benign_count: int = 48,
    seed: int = 0,
    progress: Progress = silent,
    answer_tokens: int = MAX_NEW_TOKENS,
) -> tuple[PreferencePair, ...]:
    """Return up to so many pairs of each kind, shuffled.

    Parameters
    ----------
    loaded : LoadedModel
    neurons : NeuronSet
        Ablated for the rejected answers to harmful prompts; meant to be the FULL set.
    part : {"train", "validation", "test"}
        Of the built-in prompts.
    harmful_count, twin_count, benign_count : int
        Fewer come back where the prompts run out: a harmful prompt that is refused even under the
        ablation, and a harmless one that is refused without, make no pair.
    seed : int
        Chooses the prompts, the wordings of refusal and the order.
    progress : Progress
    answer_tokens : int
        Most tokens of the model's own answers.

    Raises
    ------
    UserError
        When harmful pairs were asked for and the model refuses everything under the ablation.
    """
    wanted = _wanted(part, neurons, harmful_count, twin_count, benign_count)
    total = harmful_count + twin_count + benign_count
    pairs: list[PreferencePair] = []
    for kind, prompts, count, ablated in wanted:
        shuffler, order = _shuffled(kind, prompts, seed)

        def report(step: str, fraction: float) -> None:
            progress(STEP, min(1.0, (len(pairs) + fraction * count) / max(total, 1)))

        found = answered(loaded, order, count, ablated, report, answer_tokens)
        if kind == "harmful" and count and not found:
            raise UserError(
                f"With {neurons.name} switched off the model still refuses every harmful prompt, "
                "so there is nothing to train against; choose a larger set, such as FULL."
            )
        for prompt, answer in found:
            refusal = shuffler.choice(builtin.refusals())
            chosen, rejected = (refusal, answer) if kind == "harmful" else (answer, refusal)
            pairs.append(PreferencePair(prompt, chosen, rejected, kind))
    random.Random(seed).shuffle(pairs)
    return tuple(pairs)


def answered(
    loaded: "LoadedModel",
    prompts: Sequence[str],
    count: int,
    ablated: NeuronSet | None,
    progress: Progress,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[tuple[str, str]]:
    """Return (prompt, answer) of the first ``count`` prompts that the model does not refuse.

    Only as many answers are generated as turn out to be needed; one that was cut ends with its last whole sentence.
    """
    judge = judge_named(DEFAULT_JUDGE)
    kept = KeptAnswers(loaded.fingerprint, ablated, max_new_tokens)
    found: list[tuple[str, str]] = []
    position = 0
    while len(found) < count and position < len(prompts):
        batch = prompts[position : position + count - len(found)]
        position += len(batch)
        answers = kept.answers(
            loaded, batch, lambda step, fraction: progress(step, (len(found) + fraction * len(batch)) / count)
        )
        texts = [answer.text if answer.finished else whole_sentences(answer.text) for answer in answers]
        found += [
            (prompt, text)
            for prompt, text in zip(batch, texts, strict=True)
            if verdict_of(judge, prompt, text).kind == "answered"
        ]
    return found


def answers_to_give_for_pairs(
    model: str,
    neurons: NeuronSet,
    harmful_count: int,
    twin_count: int,
    benign_count: int,
    seed: int = 0,
    answer_tokens: int = MAX_NEW_TOKENS,
) -> int:
    """Return how many answers :func:`build_pairs` has to generate for the part ``train``, not counting refusals.

    Needs no model in memory.
    """
    missing = 0
    for kind, prompts, count, ablated in _wanted("train", neurons, harmful_count, twin_count, benign_count):
        kept = KeptAnswers(model, ablated, answer_tokens)
        missing += sum(kept.get(prompt) is None for prompt in _shuffled(kind, prompts, seed)[1][:count])
    return missing


def _wanted(
    part: builtin.Part, neurons: NeuronSet, harmful_count: int, twin_count: int, benign_count: int
) -> list[tuple[Kind, tuple[str, ...], int, NeuronSet | None]]:
    """Return each kind with its prompts, how many pairs are wanted of it, and what is ablated for the answers."""
    return [
        ("harmful", builtin.harmful(part).prompts, harmful_count, neurons),
        ("twin", builtin.twins(part).prompts, twin_count, None),
        ("benign", builtin.benign(part).prompts, benign_count, None),
    ]


def _shuffled(kind: Kind, prompts: Sequence[str], seed: int) -> tuple[random.Random, list[str]]:
    """Return the prompts in the order they are tried, and the shuffler.

    One a kind, so that a run with fewer pairs uses the first ones of a run with more.
    """
    shuffler = random.Random(f"{seed} {kind}")
    return shuffler, shuffler.sample(prompts, len(prompts))


def limited_counts(harmful: int, twin: int, benign: int, limit: int) -> tuple[int, int, int]:
    """Return counts in the same proportions whose sum is at most ``limit`` (largest remainders first)."""
    asked = (harmful, twin, benign)
    total = sum(asked)
    if total <= limit:
        return asked
    fewer = [count * limit // total for count in asked]
    by_remainder = sorted(range(len(asked)), key=lambda kind: -(asked[kind] * limit % total))
    for kind in by_remainder[: limit - sum(fewer)]:
        fewer[kind] += 1
    return tuple(fewer)
