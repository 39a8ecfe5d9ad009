"""How far two refusal rates on the same prompts lie apart, with an interval.

Newcombe's hybrid score interval for paired proportions (Statistics in Medicine 17, 2635, 1998,
method 8): the distances from each rate to the ends of its Wilson interval, added as squares and
less what the two have in common, since a prompt that one model refuses the other is likelier to
refuse too. SciPy has no interval for a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from safeneuron.refusal.rates import Rate, rate


@dataclass(frozen=True)
class RateDifference:
    """The first rate less the second, in percentage points, with its 95 % interval."""

    points: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.points:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def paired_difference(first: Sequence[float], second: Sequence[float], judge: str) -> RateDifference:
    """Return the difference of two rates on the same prompts.

    Parameters
    ----------
    first, second : sequence of float
        Per prompt, in the same order, whether each was refused: 0 or 1, or the mean over draws.
    judge : str
    """
    if len(first) != len(second):
        raise ValueError("a paired difference needs both models' verdicts on the same prompts")
    rates = [rate(float(np.mean(refused)), len(refused), judge) for refused in (first, second)]
    return hybrid_score_interval(*rates, correlation=_correlation(first, second))


def hybrid_score_interval(first: Rate, second: Rate, correlation: float = 0.0) -> RateDifference:
    """Return the difference of two rates; with a correlation of 0 they are of independent samples."""
    below = _joined(first.value - first.low, second.high - second.value, correlation)
    above = _joined(first.high - first.value, second.value - second.low, correlation)
    points = first.value - second.value
    return RateDifference(100 * points, 100 * (points - below), 100 * (points + above))


def _joined(one: float, other: float, correlation: float) -> float:
    # Rounding can bring the sum of two equal distances at a correlation of 1 just below zero.
    return sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return phi; 0 where one model treats all prompts alike, so that nothing can be said of it."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
