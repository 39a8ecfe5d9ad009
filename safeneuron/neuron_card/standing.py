"""Where a neuron stands among all by a score, and which come before and after it."""

from dataclasses import dataclass

import numpy as np

from safeneuron.neurons import Neuron


@dataclass(frozen=True)
class Standing:
    """A neuron's place, the highest score first; equal ones in order of layer and index.

    Parameters
    ----------
    value : float
    rank, of : int
        1 is the highest of so many.
    before, after : Neuron or None
        The neurons one rank higher and lower.
    """

    value: float
    rank: int
    of: int
    before: Neuron | None
    after: Neuron | None


def standing(values: np.ndarray, neuron: Neuron) -> Standing:
    """Return a neuron's place among scores ``[n_layers, d_mlp]``; linear in their number, without sorting."""
    flat, place = values.ravel(), int(np.ravel_multi_index(neuron, values.shape))
    own = flat[place]
    higher, equal = flat > own, flat == own
    twins = np.flatnonzero(equal)
    earlier, later = twins[twins < place], twins[twins > place]
    before = earlier[-1] if len(earlier) else _extreme(flat, higher, lowest=True)
    after = later[0] if len(later) else _extreme(flat, flat < own, lowest=False)
    rank = 1 + int(higher.sum()) + len(earlier)
    return Standing(float(own), rank, flat.size, *(_neuron(values, one) for one in (before, after)))


def strongest(values: np.ndarray) -> Neuron:
    """Return the neuron with the highest score."""
    return _neuron(values, int(values.argmax()))


def _extreme(flat: np.ndarray, among: np.ndarray, lowest: bool) -> int | None:
    """Return the place of the lowest or highest value among some: of equal ones the last, or the first, in order."""
    places = np.flatnonzero(among)
    if not len(places):
        return None
    if lowest:
        return places[::-1][flat[places[::-1]].argmin()]
    return places[flat[places].argmax()]


def _neuron(values: np.ndarray, place: int | None) -> Neuron | None:
    if place is None:
        return None
    layer, index = np.unravel_index(place, values.shape)
    return int(layer), int(index)
