"""Which combinations of categories own the neurons: the data of an UpSet plot (Lex et al. 2014).

Every neuron belongs to exactly one combination: the categories whose sets it is in, and no other.
"""

from dataclasses import dataclass

import numpy as np

from safeneuron.overlap.categories import CategorySets
from safeneuron.overlap.chance_of_many import chance_of_pattern


@dataclass(frozen=True)
class Intersections:
    """The largest exclusive intersections.

    Parameters
    ----------
    names : tuple of str
        Of the categories, the largest set first.
    sizes : numpy.ndarray
        ``[n_categories]``, of the sets.
    members : numpy.ndarray
        ``[n, n_categories]``, boolean: which categories each intersection is of.
    counts : numpy.ndarray
        ``[n]``, neurons in exactly these categories, most first.
    left_out : int
        Neurons in combinations that are not among these.
    expected, p : numpy.ndarray
        ``[n]``: neurons that random sets, with as many in each layer, would have in exactly these categories, and the
        probability of at least so many.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    members: np.ndarray
    counts: np.ndarray
    left_out: int
    expected: np.ndarray
    p: np.ndarray


def intersections(sets: CategorySets, most: int = 20) -> Intersections:
    """Return the combinations of categories with the most neurons, at most ``most`` of them."""
    order = np.argsort(-sets.sizes, kind="stable")
    flat = sets.masks.reshape(len(order), -1)[order].T
    patterns, counts = np.unique(flat[flat.any(axis=1)], axis=0, return_counts=True)
    largest = np.lexsort((patterns.sum(axis=1), -counts))[:most]
    sizes = sets.masks.sum(axis=2)[order]
    chances = [chance_of_pattern(sizes, sets.masks.shape[2], patterns[row], int(counts[row])) for row in largest]
    return Intersections(
        names=tuple(sets.names[row] for row in order),
        sizes=sets.sizes[order],
        members=patterns[largest],
        counts=counts[largest],
        left_out=int(counts.sum() - counts[largest].sum()),
        expected=np.array([expected for expected, _ in chances]),
        p=np.array([p for _, p in chances]),
    )
