"""What a score is, the registry of those there are, and the scores of one model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet, from_mask
from safeneuron.registry import discover
from safeneuron.statistics import ActivationStatistics


@dataclass(frozen=True)
class Score:
    """One way of scoring every neuron from the statistics of two classes of prompts.

    Parameters
    ----------
    name, title, unit, description : str
        What tables, axes and help texts say; ``name`` also names the set that it selects.
    default_threshold : float
        Neurons above it are selected unless the person moves it.
    compute : callable
        ``compute(harmful, benign)`` -> ``[n_layers, d_mlp]``.
    """

    name: str
    title: str
    unit: str
    description: str
    default_threshold: float
    compute: Callable[[ActivationStatistics, ActivationStatistics], np.ndarray]


def scores() -> dict[str, Score]:
    """Return every score by name."""
    return {score.name: score for score in discover("safeneuron.scores", "SCORE")}


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
    """The scores of every neuron of one model.

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
        """Return one score, ``[n_layers, d_mlp]``."""
        return scores()[name].compute(self.harmful, self.benign)

    def change(self, name: str, other: "ScoreTable") -> np.ndarray:
        """Return by how much one score lies above another model's, ``[n_layers, d_mlp]``."""
        return self.values(name) - other.values(name)

    def above(self, name: str, threshold: float, neurons: Iterable[Neuron]) -> set[Neuron]:
        """Return those of the neurons whose score is above a threshold."""
        values = self.values(name)
        return {neuron for neuron in neurons if values[neuron] > threshold}

    def select(self, thresholds: Mapping[str, float] | None = None) -> dict[str, NeuronSet]:
        """Return one set per score, and FULL, the union of them (paper.md 1.5).

        Those selected last are kept: one run of a page asks for them several times.

        Parameters
        ----------
        thresholds : mapping, optional
            By name of score; those left out take the score's default.
        """
        check_thresholds(thresholds or {})
        chosen = {name: (thresholds or {}).get(name, score.default_threshold) for name, score in scores().items()}
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
