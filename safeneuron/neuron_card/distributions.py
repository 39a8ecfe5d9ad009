"""One neuron's activation on every harmful and every benign prompt, and how far apart the two lie."""

from dataclasses import dataclass

import numpy as np

from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron
from safeneuron.scores.es import cohens_d
from safeneuron.significance import SMALLEST_CLASS, effect_size_interval
from safeneuron.statistics import ROUNDING


@dataclass(frozen=True)
class Distributions:
    """Pooled activations of one neuron.

    Parameters
    ----------
    harmful, benign : numpy.ndarray
        One number a prompt, ``[n]``, float64.
    effect_size : float
        Cohen's d (paper Eq. 5-6).
    low, high : float or None
        Ends of its 95 % bootstrap interval; None where there is none.
    """

    harmful: np.ndarray
    benign: np.ndarray
    effect_size: float
    low: float | None
    high: float | None


def distributions(records: Records, neuron: Neuron) -> Distributions:
    """Return both distributions of a neuron's activation with d and its interval.

    Where the activation varies by rounding alone (:data:`safeneuron.statistics.ROUNDING`), d is 0 and there is no
    interval; nor is there one of fewer than :data:`safeneuron.significance.SMALLEST_CLASS` prompts of a class.
    """
    harmful, benign = (record.neuron(*neuron).astype(np.float64) for record in (records.harmful, records.benign))
    both = np.concatenate([harmful, benign])
    if np.ptp(both) <= ROUNDING * np.sqrt(np.mean(both**2)):
        return Distributions(harmful, benign, 0.0, None, None)
    shift = np.asarray(harmful.mean() - benign.mean())
    d = cohens_d(shift, harmful.var(ddof=1), len(harmful), benign.var(ddof=1), len(benign))
    enough = min(len(harmful), len(benign)) >= SMALLEST_CLASS
    interval = effect_size_interval(harmful, benign) if enough else None
    ends = (interval.low, interval.high) if interval else (None, None)
    return Distributions(harmful, benign, float(d), *ends)
