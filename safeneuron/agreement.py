"""How far scores agree: rank correlation over all neurons, and overlap of their top neurons.

Chen et al. (arXiv 2406.14144, paper.md 5.1) compare safety neurons of different training runs by
Spearman's correlation of the scores and by the overlap of the top neurons; here the same is done for
several scores of one model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.scores.result import ScoreResult

POINTS = 40
"""Sizes of the top at which overlap is measured, if so many whole numbers lie between."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of every score with every other.

    Parameters
    ----------
    names : tuple of str
        One per score.
    neurons : int
        N, how many neurons there are.
    spearman : numpy.ndarray
        ``[n_scores, n_scores]``, -1 to 1; not a number where a score is the same for all neurons.
    sizes : numpy.ndarray
        ``[n_sizes]``, numbers k of top neurons, rising.
    jaccard : numpy.ndarray
        ``[n_scores, n_scores, n_sizes]``, 0 to 1: shared top-k neurons by those in either top k.
    """

    names: tuple[str, ...]
    neurons: int
    spearman: np.ndarray
    sizes: np.ndarray
    jaccard: np.ndarray

    @property
    def chance(self) -> np.ndarray:
        """Jaccard index of two random sets of each size ``[n_sizes]``: k / (2N - k).

        Two random sets of k neurons share k^2 / N on average, of 2k - k^2 / N in either.
        """
        return self.sizes / (2 * self.neurons - self.sizes)


def agreement(results: Sequence[ScoreResult], names: Sequence[str] | None = None, top: float = 0.05) -> Agreement:
    """Return how far scores of one model agree.

    Parameters
    ----------
    results : sequence of ScoreResult
    names : sequence of str, optional
        What to call them; the scores' names by default.
    top : float
        Up to which share of the neurons the top is looked at.

    Raises
    ------
    UserError
        When there are fewer than two, two have one name, or they are of different models.
    """
    names = tuple(result.name for result in results) if names is None else tuple(names)
    if len(results) < 2:
        raise UserError("Agreement is between scores; choose at least two.")
    if len({result.model for result in results}) > 1:
        raise UserError("These scores are of different models; choose scores of one model.")
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{repeated} is there twice; give each its own name, such as {repeated} and {repeated} (max).")
    if not 0 < top <= 1:
        raise UserError(f"The top is a share of the neurons above 0 and at most 1, and not {top}; choose another.")
    values = np.stack([result.values.ravel() for result in results])
    largest = max(1, round(top * values.shape[1]))
    sizes = np.unique(np.geomspace(1, largest, POINTS).round().astype(int))
    return Agreement(names, values.shape[1], _spearman(values), sizes, _jaccard(values, sizes))


def _spearman(values: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of every row with every other: Pearson's of the ranks, ties at their mean.

    ``scipy.stats.spearmanr`` does the same, but calls all undefined where one row is constant.
    """
    from scipy.stats import rankdata

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(rankdata(values, axis=1))


def _jaccard(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the Jaccard index of the top-k sets of every two rows, ``[rows, rows, sizes]``."""
    count, neurons = values.shape
    places = np.empty((count, neurons), dtype=np.int64)
    for row in range(count):
        # Ties are broken at random, by each score for itself: in the order of the neurons, two scores that are
        # tied throughout would agree.
        order = np.random.default_rng(row).permutation(neurons)
        order = order[np.argsort(-values[row, order], kind="stable")]
        places[row, order] = np.arange(neurons)
    found = np.empty((count, count, len(sizes)))
    for one in range(count):
        for two in range(one, count):
            # A neuron is in both tops of k if the worse of its places is.
            worse = np.maximum(places[one], places[two])
            shared = np.searchsorted(np.sort(worse[worse < sizes[-1]]), sizes, side="left")
            found[one, two] = found[two, one] = shared / (2 * sizes - shared)
    return found
