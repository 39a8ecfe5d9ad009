"""How many neurons random sets would have in exactly one combination of them: chance for an UpSet plot.

As many neurons in every layer as the sets have, drawn independently (the multi-set intersection test of Wang, Zhao and
Zhang, Scientific Reports 5:16923, 2015, layer-matched). Within a layer the neurons that are in some sets and not in
others are found set by set: of m that are left so far, a set with b of the layer's N neurons holds a hypergeometric
number, which stays where the combination has the set and goes where it has not.
"""

from functools import lru_cache, reduce

import numpy as np

from safeneuron.overlap.chance import SMALLEST, sum_of


def chance_of_pattern(sizes: np.ndarray, width: int, inside: np.ndarray, observed: int) -> tuple[float, float]:
    """Return how many neurons chance puts into exactly these sets, and the probability of at least ``observed``.

    Parameters
    ----------
    sizes : numpy.ndarray
        ``[n_sets, n_layers]``, neurons of each set in each layer.
    width : int
        Neurons of a layer.
    inside : numpy.ndarray
        ``[n_sets]``, boolean: the sets that the neurons are in; they are in no other. At least one.
    """
    shares = sizes / width
    expected = float(np.where(inside[:, None], shares, 1 - shares).prod(axis=0).sum() * width)
    if not observed:
        return expected, 1.0
    layers = (_in_layer(sizes[inside, layer], sizes[~inside, layer], width) for layer in range(sizes.shape[1]))
    # Of probabilities that add up to 1 within rounding.
    return expected, min(1.0, float(reduce(sum_of, layers, np.ones(1))[observed:].sum()))


def _in_layer(inside: np.ndarray, outside: np.ndarray, width: int) -> np.ndarray:
    """Return the probability of each number of neurons of one layer, 0 to the most that is possible."""
    smallest, *others = np.sort(inside).tolist()
    found = np.zeros(smallest + 1)
    found[smallest] = 1.0
    for size in others:
        found = found @ _drawn(len(found) - 1, size, width)
    for size in outside.tolist():
        # What stays is what the set does not hold: a hypergeometric number of the layer's other neurons.
        found = found @ _drawn(len(found) - 1, width - size, width)
    return found


def _drawn(most: int, size: int, width: int) -> np.ndarray:
    """Return P(k of m are in a random set of ``size``) for each m and k ``[most + 1, most + 1]``."""
    table = _log_factorials(width)

    def choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
        possible = (k >= 0) & (k <= n) & (n >= 0)
        n, k = np.where(possible, n, 0), np.where(possible, k, 0)
        return np.where(possible, table[n] - table[k] - table[n - k], -np.inf)

    of, count = np.arange(most + 1)[:, None], np.arange(most + 1)[None, :]
    logs = choose(of, count) + choose(width - of, size - count) - choose(np.array(width), np.array(size))
    found = np.exp(logs)
    return np.where(found > SMALLEST, found, 0.0)


@lru_cache(maxsize=4)
def _log_factorials(width: int) -> np.ndarray:
    """Return ln n! for n from 0 to ``width``: looked up, since SciPy's hypergeom takes far longer for as many."""
    from scipy.special import gammaln

    return gammaln(np.arange(width + 1) + 1.0)
