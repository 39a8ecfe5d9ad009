"""A mean over a few numbers, with its interval."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mean:
    """A mean with the 95 % interval of Student's t.

    Parameters
    ----------
    value, low, high : float
    n : int
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def mean_of(values: np.ndarray) -> Mean:
    """Return the mean of some numbers; of fewer than two, or of equal ones, with no width."""
    values = np.asarray(values, dtype=np.float64)
    centre = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return Mean(centre, centre, centre, len(values))
    # Here, since importing it takes a second.
    from scipy.stats import ttest_1samp

    found = ttest_1samp(values, centre).confidence_interval()
    return Mean(centre, float(found.low), float(found.high), len(values))
