"""How far scores agree: rank correlation over all neurons, and overlap of their top neurons.

Chen et al. (arXiv 2406.14144, paper.md 5.1) compare safety neurons of different training runs by
Spearman's correlation of the scores and by the overlap of the top neurons; here the same is done for
several scores of one model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.progress import Progress, silent
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


def agreement(
    results: Sequence[ScoreResult],
    names: Sequence[str] | None = None,
    top: float = 0.05,
    progress: Progress = silent,
) -> Agreement:
    """Return how far scores of one model agree.

    Parameters
    ----------
    results : sequence of ScoreResult
    names : sequence of str, optional
        What to call them; the scores' names by default.
    top : float
        Up to which share of the neurons the top is looked at.
    progress : Progress
        Two million neurons take about two seconds per score.

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
    neurons = results[0].values.size
    ranks, places = np.empty((2, len(results), neurons))
    for row, result in enumerate(results):
        progress("Ranking the neurons by each score", row / len(results))
        ranks[row], places[row] = _ranked(result.values.ravel(), seed=row)
    largest = max(1, round(top * neurons))
    sizes = np.unique(np.geomspace(1, largest, POINTS).round().astype(int))
    found = Agreement(names, neurons, _correlation(ranks), sizes, _jaccard(places, sizes))
    progress("Ranking the neurons by each score", 1.0)
    return found


def _ranked(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the neurons' ranks, ties at their mean, and their places from the top, the highest at 0.

    For places, ties are broken at random, by each score for itself: in the order of the neurons, two scores
    that are tied throughout would seem to agree.
    """
    from scipy.stats import rankdata

    shuffled = np.random.default_rng(seed).permutation(len(values))
    places = np.empty(len(values))
    places[shuffled[np.argsort(-values[shuffled], kind="stable")]] = np.arange(len(values))
    return rankdata(values), places


def _correlation(ranks: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of every row with every other, which is Pearson's of the ranks.

    ``scipy.stats.spearmanr`` does the same, but calls all undefined where one of the first rows is constant.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(ranks)


def _jaccard(places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the Jaccard index of the top-k sets of every two rows of places, ``[rows, rows, sizes]``."""
    count = len(places)
    found = np.empty((count, count, len(sizes)))
    for one in range(count):
        for two in range(one, count):
            # A neuron is in both tops of k if the worse of its places is.
            worse = np.maximum(places[one], places[two])
            shared = np.searchsorted(np.sort(worse[worse < sizes[-1]]), sizes, side="left")
            found[one, two] = found[two, one] = shared / (2 * sizes - shared)
    return found
