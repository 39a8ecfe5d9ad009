"""What a score is, the registry of those there are, and the paper's scores of one model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet, from_mask
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import NeededAnswers
from safeneuron.registry import discover
from safeneuron.scores.option import Option, Value
from safeneuron.statistics import ActivationStatistics

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel
    from safeneuron.prompts.classes import PromptClasses

ACTIVATIONS = "activations"
"""The observation that holds every neuron's mean and variance."""


@dataclass(frozen=True)
class Evidence:
    """What a score is computed from.

    Parameters
    ----------
    observed : callable
        ``observed(name)`` -> the observation of the harmful class and that of the benign one, of those that the
        score says it observes.
    classes : PromptClasses, optional
        The prompts themselves.
    model, other : callable, optional
        Open the model, and the one that it is compared with; for scores that say that they need them.
    progress : Progress
    scratch : Path, optional
        A folder for what a score that is stopped may go on from.
    """

    observed: Callable[[str], tuple[Any, Any]]
    classes: "PromptClasses | None" = None
    model: "Callable[[], LoadedModel] | None" = None
    other: "Callable[[], LoadedModel] | None" = None
    progress: Progress = silent
    scratch: Path | None = None

    def unfinished(self, name: str) -> Path | None:
        """Return the file of a sum over many texts (adding_up.py), or None where nothing of it is to be kept."""
        return self.scratch / f"{name}.safetensors" if self.scratch else None


@dataclass(frozen=True)
class Score:
    """One way of scoring every neuron from two classes of prompts.

    Parameters
    ----------
    name, title, unit, description : str
        What tables, axes and help texts say; ``name`` also names the set that it selects.
    source : str
        Paper and equation.
    default_threshold : float
        Neurons above it are selected unless the person moves it.
    compute : callable
        ``compute(evidence, options)`` -> ``[n_layers, d_mlp]``.
    options : tuple of Option
    observes : tuple of str
        Names of the observations that it needs of both classes; those of several scores share a pass.
    pools : bool
        Whether its values depend on how one number per prompt is made of the tokens.
    identifies : bool
        Whether its set is part of FULL, the paper's safety neurons.
    signed : bool
        Whether negative values mean the opposite, so that it is drawn on a scale centred on zero.
    needs_model, needs_other : bool
        Whether it computes with the model itself (weights, gradients), and with a second one.
    harmful_only : bool
        Whether benign prompts and the pooling make no difference to it.
    highest_threshold : float
        Where the threshold's slider ends.
    lowest_colour : float, optional
        Where the colours of the map begin, if not at 0: a rank in per cent is high for most bins of neighbours.
    needed_answers : callable
        ``needed_answers(classes, options)`` -> the model's own answers that it begins with; those that are not kept
        yet come on top of ``passes``.
    passes : float
        What it costs, in bare forward passes over its prompts: measured on the default model (README has the table).
    revision : int
        Raised when the formula changes, so that values kept before are not shown any more.
    """

    name: str
    title: str
    unit: str
    description: str
    source: str
    default_threshold: float
    compute: Callable[[Evidence, Mapping[str, Value]], np.ndarray]
    options: tuple[Option, ...] = ()
    observes: tuple[str, ...] = (ACTIVATIONS,)
    pools: bool = True
    identifies: bool = False
    signed: bool = False
    needs_model: bool = False
    needs_other: bool = False
    harmful_only: bool = False
    highest_threshold: float = 10.0
    lowest_colour: float | None = None
    needed_answers: "Callable[[PromptClasses, Mapping[str, Value]], NeededAnswers]" = lambda classes, options: (
        NeededAnswers()
    )
    passes: float = 1.0
    revision: int = 1

    @property
    def immediate(self) -> bool:
        """Whether means and variances are all that it needs, so that it is computed where it is shown."""
        return self.observes == (ACTIVATIONS,) and not (self.needs_model or self.needs_other or self.options)


def scores() -> dict[str, Score]:
    """Return every score by name, the paper's first."""
    found = sorted(discover("safeneuron.scores", "SCORE"), key=lambda score: not score.identifies)
    return {score.name: score for score in found}


def identifying_scores() -> dict[str, Score]:
    """Return the scores whose sets make up FULL: ES and SAS (paper.md 1.5)."""
    return {name: score for name, score in scores().items() if score.identifies}


def check_thresholds(thresholds: Mapping[str, float]) -> None:
    """Refuse thresholds that select nothing sensible, before a model is asked for.

    Raises
    ------
    UserError
        When one is no number of at least 0.
    """
    if any(not (isfinite(threshold) and threshold >= 0) for threshold in thresholds.values()):
        raise UserError("A threshold must be a number of at least 0; choose another.")


@dataclass(frozen=True)
class ScoreTable:
    """The paper's scores of every neuron of one model.

    Parameters
    ----------
    model : str
        Fingerprint of the model.
    harmful, benign : ActivationStatistics
        Of the two classes of prompts.
    """

    model: str
    harmful: ActivationStatistics
    benign: ActivationStatistics
    _selected: dict[tuple, dict[str, NeuronSet]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_layers, d_mlp)``, the grid of neurons."""
        return self.harmful.mean.shape

    def values(self, name: str) -> np.ndarray:
        """Return one immediate score, ``[n_layers, d_mlp]``."""
        observed = {ACTIVATIONS: (self.harmful, self.benign)}
        return scores()[name].compute(Evidence(observed.__getitem__), {})

    def change(self, name: str, other: "ScoreTable") -> np.ndarray:
        """Return by how much one score lies above another model's, ``[n_layers, d_mlp]``."""
        return self.values(name) - other.values(name)

    def above(self, name: str, threshold: float, neurons: Iterable[Neuron]) -> set[Neuron]:
        """Return those of the neurons whose score is above a threshold."""
        values = self.values(name)
        return {neuron for neuron in neurons if values[neuron] > threshold}

    def select(self, thresholds: Mapping[str, float] | None = None) -> dict[str, NeuronSet]:
        """Return one set per identifying score, and FULL, the union of them (paper.md 1.5).

        Those selected last are kept: one run of a page asks for them several times.

        Parameters
        ----------
        thresholds : mapping, optional
            By name of score; those left out take the score's default.
        """
        check_thresholds(thresholds or {})
        chosen = {
            name: (thresholds or {}).get(name, score.default_threshold) for name, score in identifying_scores().items()
        }
        key = tuple(chosen.items())
        found = self._selected.get(key)
        if found is None:
            found = self._select(chosen)
            self._selected.clear()
            self._selected[key] = found
        return dict(found)

    def _select(self, chosen: Mapping[str, float]) -> dict[str, NeuronSet]:
        sets = {
            name: from_mask(name, self.model, self.values(name) > threshold, self._origin(name, threshold))
            for name, threshold in chosen.items()
        }
        union = np.logical_or.reduce([found.mask() for found in sets.values()])
        return sets | {"FULL": from_mask("FULL", self.model, union, self._origin(" ∪ ".join(sets), chosen))}

    def _origin(self, method: str, threshold: float | Mapping[str, float]) -> dict:
        return {
            "method": method,
            "threshold": threshold,
            "pooling": self.harmful.pooling,
            "harmful": self.harmful.fingerprint,
            "benign": self.benign.fingerprint,
        }
