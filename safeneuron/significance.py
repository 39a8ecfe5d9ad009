"""How sure an effect size is: the bootstrap interval of a neuron's d.

The paper's Theorem 3.1 gives no calibrated error rate for d (paper.md 1.3), so its uncertainty is
measured by drawing the prompts again.
"""

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000


def effect_size_interval(harmful: np.ndarray, benign: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of Cohen's d, each class drawn again by itself.

    Parameters
    ----------
    harmful, benign : numpy.ndarray
        One neuron's activation on each prompt of a class, ``[n]``; at least two each.
    seed : int

    Returns
    -------
    low, high : float
        Both 0 where the activation does not vary within the classes, as d is then.
    """
    found = bootstrap(
        (harmful.astype(np.float64), benign.astype(np.float64)),
        cohens_d,
        n_resamples=RESAMPLES,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def cohens_d(harmful: np.ndarray, benign: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return Cohen's d of samples along an axis (paper Eq. 5-6); 0 where neither class varies."""
    sizes = harmful.shape[axis], benign.shape[axis]
    squares = sum(
        (size - 1) * sample.var(axis=axis, ddof=1) for size, sample in zip(sizes, (harmful, benign), strict=True)
    )
    deviation = np.sqrt(squares / (sum(sizes) - 2))
    shift = harmful.mean(axis=axis) - benign.mean(axis=axis)
    return np.divide(shift, deviation, out=np.zeros_like(shift), where=deviation > 0)
