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


@dataclass(frozen=True)
class Ranking:
    """All neurons by one score.

    Parameters
    ----------
    name : str
        Of the score.
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    """

    name: str
    values: np.ndarray

    def value(self, neuron: Neuron) -> float:
        """Return a neuron's score."""
        return float(self.values[neuron])

    def others(self, neuron: Neuron, in_layer: bool) -> int:
        """Return how many other neurons there are, in the neuron's layer or in all."""
        return (self.values[neuron[0]] if in_layer else self.values).size - 1

    def first(self) -> Neuron:
        """Return the neuron with the highest score."""
        return self._neuron(int(self.values.argmax()))

    def standing(self, neuron: Neuron) -> Standing:
        """Return a neuron's place; linear in the number of neurons, without sorting them."""
        flat, place = self.values.ravel(), int(np.ravel_multi_index(neuron, self.values.shape))
        own = flat[place]
        higher, equal = flat > own, np.flatnonzero(flat == own)
        earlier, later = equal[equal < place], equal[equal > place]
        before = earlier[-1] if len(earlier) else _extreme(flat, higher, lowest=True)
        after = later[0] if len(later) else _extreme(flat, flat < own, lowest=False)
        rank = 1 + int(higher.sum()) + len(earlier)
        return Standing(float(own), rank, flat.size, self._neuron(before), self._neuron(after))

    def _neuron(self, place: int | None) -> Neuron | None:
        if place is None:
            return None
        layer, index = np.unravel_index(place, self.values.shape)
        return int(layer), int(index)


def _extreme(flat: np.ndarray, among: np.ndarray, lowest: bool) -> int | None:
    """Return the place of the lowest or highest value among some: of equal ones the last, or the first, in order."""
    places = np.flatnonzero(among)
    if not len(places):
        return None
    if lowest:
        return places[::-1][flat[places[::-1]].argmin()]
    return places[flat[places].argmax()]
