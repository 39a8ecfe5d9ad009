"""How much two sets share, layer by layer: two methods', two models', base and run; the paper's Fig. 7.

The paper draws its set against NeuroStrike's (SafeNeuron, arXiv 2602.12158, App. E). Neurons are places in the
weights, so two models are compared only where they have one shape.
"""

from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.overlap.chance import Chance, chance_of, expected_per_layer, p_per_layer


@dataclass(frozen=True)
class LayerOverlap:
    """Overlap of two sets in each layer and in all.

    Parameters
    ----------
    names : (str, str)
    first, second, shared : numpy.ndarray
        ``[n_layers]``, neurons of the first set, of the second, of both.
    expected : numpy.ndarray
        ``[n_layers]``, shared neurons of random sets of these sizes.
    p, q : numpy.ndarray
        ``[n_layers]``, probability of sharing as many by chance, and the same corrected for testing many layers
        (Benjamini-Hochberg, over the layers where both have neurons); not a number elsewhere.
    whole : Chance
        Of the whole model, layer-matched.
    """

    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    shared: np.ndarray
    expected: np.ndarray
    p: np.ndarray
    q: np.ndarray
    whole: Chance

    @property
    def jaccard(self) -> np.ndarray:
        """Shared of those in either ``[n_layers]``; not a number where neither has a neuron."""
        either = self.first + self.second - self.shared
        return np.divide(self.shared, either, out=np.full(len(either), np.nan), where=either > 0)

    @property
    def total_shared(self) -> int:
        """Neurons in both sets."""
        return int(self.shared.sum())

    @property
    def whole_jaccard(self) -> float:
        """Jaccard index over all layers."""
        shared = self.total_shared
        return shared / (int(self.first.sum() + self.second.sum()) - shared)


def layer_overlap(first: NeuronSet, second: NeuronSet, names: tuple[str, str] | None = None) -> LayerOverlap:
    """Return how much two sets share in each layer.

    Parameters
    ----------
    names : (str, str), optional
        What to call them; the sets' names by default.

    Raises
    ------
    UserError
        When the models differ in shape, or a set is empty.
    """
    if first.shape != second.shape:
        raise UserError(
            f"The two sets are of models of different shapes, {first.shape[0]} x {first.shape[1]} and "
            f"{second.shape[0]} x {second.shape[1]} neurons, and so share no places; choose models of one shape."
        )
    names = names or (first.name, second.name)
    for name, found in zip(names, (first, second), strict=True):
        require_neurons(found, name)
    one, two = first.mask(), second.mask()
    sizes = one.sum(axis=1), two.sum(axis=1)
    shared = (one & two).sum(axis=1)
    tested = (sizes[0] > 0) & (sizes[1] > 0)
    p, q = np.full((2, len(shared)), np.nan)
    p[tested] = p_per_layer(shared[tested], sizes[0][tested], sizes[1][tested], first.shape[1])
    if tested.any():
        from scipy.stats import false_discovery_control

        q[tested] = false_discovery_control(p[tested])
    expected = expected_per_layer(*sizes, first.shape[1])
    return LayerOverlap(names, *sizes, shared, expected, p, q, chance_of(one, two))


def require_one_shape(title: str, shape: tuple[int, ...], base: tuple[int, ...], what: str = "neurons") -> None:
    """Refuse a model of another shape than the base's, whose places mean something else.

    Raises
    ------
    UserError
        Naming the model and both shapes.
    """
    if shape != base:
        raise UserError(
            f"{title} has {shape[0]} x {shape[1]} {what} and the base {base[0]} x {base[1]}, so nothing in one is in "
            "the same place in the other; choose models of one shape."
        )


def require_neurons(found: NeuronSet, name: str | None = None) -> None:
    """Refuse an empty set, of which nothing can be said.

    Raises
    ------
    UserError
        Naming the set.
    """
    if not found.neurons:
        raise UserError(
            f"{name or found.name} has no neuron, so there is nothing to compare; lower the thresholds or choose "
            "another set."
        )
