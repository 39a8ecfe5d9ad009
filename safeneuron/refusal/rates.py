"""A rate is never shown without its n, its 95 % Wilson interval and its judge."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """A share of n answers, as one judge saw them.

    Parameters
    ----------
    value : float
        Between 0 and 1. For a condition with several random draws: the mean over the draws.
    n : int
        Number of prompts.
    low, high : float
        95 % Wilson score interval for ``value`` at this n. With several draws n stays the number
        of prompts, since draws on the same prompts are not independent.
    judge : str
    """

    value: float
    n: int
    low: float
    high: float
    judge: str

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}] (n = {self.n}, judge {self.judge})"


def rate(value: float, n: int, judge: str) -> Rate:
    """Return the rate with its Wilson interval (Wilson 1927); n must be at least 1.

    Written out because SciPy's ``binomtest`` takes whole successes only, and the mean over several
    random draws is not a whole number; a test compares the two where both apply.
    """
    if n < 1:
        raise ValueError("a rate needs at least one answer")
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    # The interval holds the value by definition; rounding can put an end of it 1e-17 to the other side.
    low, high = max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half))
    return Rate(value=value, n=n, low=low, high=high, judge=judge)


def rate_of(refused: Iterable[bool], judge: str) -> Rate:
    """Return the rate of True among verdicts."""
    verdicts = list(refused)
    return rate(sum(verdicts) / max(len(verdicts), 1), len(verdicts), judge)
