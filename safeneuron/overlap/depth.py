"""The share of each layer's neurons that are safety neurons, by normalised depth: the paper's Fig. 4.

Depth runs from 0 to 1 over a model's layers, so that models of any number of layers stand on one axis
(SafeNeuron, arXiv 2602.12158, section 4.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from safeneuron.neurons import NeuronSet


@dataclass(frozen=True)
class DepthProfile:
    """One model's row.

    Parameters
    ----------
    title : str
    shares : numpy.ndarray
        ``[n_layers]``, 0 to 1.
    counts : numpy.ndarray
        ``[n_layers]``, neurons in the set.
    """

    title: str
    shares: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> int:
        """Neurons in the set."""
        return int(self.counts.sum())

    @property
    def edges(self) -> np.ndarray:
        """Where each layer begins and ends on the axis of depth ``[n_layers + 1]``."""
        return np.linspace(0.0, 1.0, len(self.shares) + 1)

    @property
    def centre(self) -> float | None:
        """Mean depth of the set's neurons, 0 to 1; None for an empty set."""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return float(middles @ self.counts / self.counts.sum()) if self.counts.any() else None


def depth_profiles(sets: Mapping[str, NeuronSet]) -> tuple[DepthProfile, ...]:
    """Return a row per model from each one's set, by title; models may differ in shape."""
    return tuple(
        DepthProfile(title, np.array(found.per_layer()) / found.shape[1], np.array(found.per_layer()))
        for title, found in sets.items()
    )


def in_layer(found: NeuronSet, layer: int) -> NeuronSet:
    """Return those of a set's neurons that are in one layer."""
    neurons = frozenset(neuron for neuron in found.neurons if neuron[0] == layer)
    origin = {"set": found.name, "layer": layer}
    return replace(found, name=f"{found.name}, layer {layer}", neurons=neurons, origin=origin)
