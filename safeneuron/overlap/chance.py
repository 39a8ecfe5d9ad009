"""What two sets would share by chance: random sets with as many neurons in each layer as these have.

Layer-matched, so that it is no finding that two sets lie in the same layers. In a layer of N neurons, of which
the sets have a and b, the number shared is hypergeometric: a b / N on average (``scipy.stats.hypergeom``). Over
the whole model it is the sum of the layers', whose distribution is their convolution.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np

SMALLEST = 1e-280
"""Probabilities below this are 0 here."""


@dataclass(frozen=True)
class Chance:
    """Shared neurons of two random sets, layer-matched.

    Parameters
    ----------
    shared : float
        Expected number of shared neurons.
    jaccard : float
        Jaccard index of that many shared neurons; not a number where both sets are empty.
    p : float
        Probability of sharing at least as many as the two sets do; 0 where it is below :data:`SMALLEST`.
    """

    shared: float
    jaccard: float
    p: float


def expected_per_layer(first: np.ndarray, second: np.ndarray, width: int) -> np.ndarray:
    """Return how many neurons two random sets share in each layer on average, from their sizes ``[n_layers]``."""
    return first * second / width


def p_per_layer(shared: np.ndarray, first: np.ndarray, second: np.ndarray, width: int) -> np.ndarray:
    """Return each layer's probability of sharing at least so many by chance ``[n_layers]``; all ``[n_layers]``."""
    from scipy.stats import hypergeom

    return hypergeom.sf(shared - 1, width, first, second)


def chance_of(first: np.ndarray, second: np.ndarray) -> Chance:
    """Return what two sets ``[n_layers, d_mlp]``, boolean, would share by chance, and how likely what they share is."""
    width = first.shape[1]
    sizes = first.sum(axis=1), second.sum(axis=1)
    observed = int((first & second).sum())
    expected = float(expected_per_layer(*sizes, width).sum())
    total = int(sizes[0].sum() + sizes[1].sum())
    return Chance(
        shared=expected,
        jaccard=expected / (total - expected) if total else np.nan,
        p=float(_distribution(*sizes, width)[observed:].sum()) if observed else 1.0,
    )


def _distribution(first: np.ndarray, second: np.ndarray, width: int) -> np.ndarray:
    """Return the probability of each number of shared neurons, 0 to the most that is possible."""
    from scipy.stats import hypergeom

    first, second = first[(first > 0) & (second > 0)], second[(first > 0) & (second > 0)]
    most = np.minimum(first, second)
    # Of all layers at once: a call of SciPy's costs more than its numbers.
    numbers = np.arange(most.max(initial=0) + 1)
    # By logarithms, which in SciPy are a hundred times faster in wide layers than the probabilities themselves.
    every = np.exp(hypergeom.logpmf(numbers, width, first[:, None], second[:, None]))
    layers = [row[: count + 1] for row, count in zip(every, most, strict=True)]
    return reduce(sum_of, layers, np.ones(1))


def sum_of(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the distribution of the sum of two numbers; what is below :data:`SMALLEST` counts as 0."""
    # Products of positive numbers only, so that the far tail keeps its digits.
    found = np.convolve(one, two)
    # Numbers too small for float64's full precision are slow to multiply.
    return np.trim_zeros(np.where(found > SMALLEST, found, 0.0), "b")
