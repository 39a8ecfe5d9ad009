"""One neuron's activation on every harmful and every benign prompt, and how far apart the two lie."""

from dataclasses import dataclass

import numpy as np

from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron
from safeneuron.significance import cohens_d, effect_size_interval
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
    low, high : float
        Ends of its 95 % bootstrap interval.
    """

    harmful: np.ndarray
    benign: np.ndarray
    effect_size: float
    low: float
    high: float


def distributions(records: Records, neuron: Neuron, seed: int = 0) -> Distributions:
    """Return both distributions of a neuron's activation with d and its interval.

    All three are 0 where the activation varies by rounding alone, see :data:`safeneuron.statistics.ROUNDING`.
    """
    harmful, benign = (record.neuron(*neuron).astype(np.float64) for record in (records.harmful, records.benign))
    both = np.concatenate([harmful, benign])
    if np.ptp(both) <= ROUNDING * np.sqrt(np.mean(both**2)):
        return Distributions(harmful, benign, 0.0, 0.0, 0.0)
    return Distributions(
        harmful, benign, float(cohens_d(harmful, benign)), *effect_size_interval(harmful, benign, seed)
    )
