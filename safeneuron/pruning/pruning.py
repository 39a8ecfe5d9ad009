"""Pruning a set of a model: the search on some harmful prompts, and the check on others."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import Neuron, NeuronSet, random_like
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import KeptAnswers
from safeneuron.pruning.result import (
    KeptEffects,
    PruningResult,
    keep_result,
    keep_subset,
    kept_result,
    subset_of,
)
from safeneuron.pruning.search import prune
from safeneuron.pruning.settings import PruningSettings
from safeneuron.pruning.start import CHECKING, SEARCHING
from safeneuron.refusal.judging import judged_rate
from safeneuron.refusal.panel import Panel
from safeneuron.refusal.rates import Rate

Timing = Callable[[str, int], AbstractContextManager]


def prune_set(
    loaded: LoadedModel,
    neurons: NeuronSet,
    settings: PruningSettings = PruningSettings(),
    progress: Progress = silent,
    timing: Timing = lambda kind, items: nullcontext(),
) -> PruningResult:
    """Find a small part of a set that keeps its effect, check it, and keep it as a set of its own.

    The effect of an ablation is by how much it changes the mean first-token refusal log-odds of the prompts.
    What was measured before, here or by a job that was stopped, is read from disk.

    Parameters
    ----------
    progress : Progress
        Told "Searching" and "Checking on other prompts", and what is done within them.
    timing : callable, optional
        ``timing(kind, items)``, told of "run effect" and "run answer"; see :func:`safeneuron.pace.measured`.

    Raises
    ------
    UserError
        When the set has no effect on these prompts.
    """
    # A set of the model that this one was trained from is kept, and measured, as a set of this one.
    neurons = replace(neurons, model=loaded.fingerprint)
    before = kept_result(neurons, settings)
    if before is not None:
        return before
    progress(SEARCHING, 0.0)
    effects = KeptEffects(neurons, settings)
    panel = Panel(loaded, settings.measured_on().prompts)
    original = panel.scores(None)

    def effect(chosen: frozenset[Neuron]) -> float:
        found = effects.get(chosen)
        if found is None:
            with timing("run effect", 1):
                off = NeuronSet("part", neurons.model, neurons.shape, chosen)
                found = float((panel.scores(off) - original).mean())
            effects.keep(chosen, found)
        return found

    found = prune(neurons.neurons, effect, settings.keep, progress)
    subset = subset_of(neurons, settings, found)
    progress(CHECKING, 0.0)
    conditions = {"ORI": None, "whole set": neurons, "subset": subset, "RANDOM": random_like(subset, 0)}
    refusal: dict[str, Rate] = {}
    for number, (condition, off) in enumerate(conditions.items()):

        def report(_: str, fraction: float, condition: str = condition, number: int = number) -> None:
            progress(f"Answering, {condition} off", (number + fraction) / len(conditions))

        refusal[condition] = _rate(loaded, off, settings, report, timing)
    name = keep_subset(neurons, subset)
    result = PruningResult(neurons, loaded.card.title, settings, found, refusal, name, time.time())
    keep_result(result)
    progress("Done", 1.0)
    return result


def _rate(
    loaded: LoadedModel, off: NeuronSet | None, settings: PruningSettings, progress: Progress, timing: Timing
) -> Rate:
    """Return the refusal rate on the held-out prompts: the one place where pruning asks a judge."""
    asked = settings.checked_on().prompts
    kept = KeptAnswers(loaded.fingerprint, off, settings.max_new_tokens)
    with timing("run answer", sum(kept.get(prompt) is None for prompt in asked)):
        return judged_rate(loaded, off, kept.answers(loaded, asked, progress), settings.judge, progress)
