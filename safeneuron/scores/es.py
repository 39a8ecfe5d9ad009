"""ES: the effect size of a neuron's activation between harmful and benign prompts.

    d = (mean_harmful - mean_benign) / s,
    s = sqrt(((n_h - 1) var_h + (n_b - 1) var_b) / (n_h + n_b - 2))

Cohen's d with the pooled standard deviation (SafeNeuron, arXiv 2602.12158, Eq. 5-6), signed. A
threshold on d is a choice, not a significance level: the paper's Theorem 3.1 holds for the
t-statistic, not for d (paper.md 1.3).

Takes both classes' means and variances ``[n_layers, d_mlp]`` and gives d of that shape. It has no options.
"""

import numpy as np

from safeneuron.scores.score import ACTIVATIONS, Score
from safeneuron.statistics import ActivationStatistics, mean_shift


def effect_size(harmful: ActivationStatistics, benign: ActivationStatistics) -> np.ndarray:
    """Return Cohen's d ``[n_layers, d_mlp]``; 0 where the activation does not vary beyond rounding."""
    return cohens_d(mean_shift(harmful, benign), harmful.variance, harmful.count, benign.variance, benign.count)


def cohens_d(
    shift: np.ndarray, harmful_variance: np.ndarray, n_harmful: int, benign_variance: np.ndarray, n_benign: int
) -> np.ndarray:
    """Return shifts of means in pooled standard deviations; 0 where both sample variances are 0."""
    pooled = ((n_harmful - 1) * harmful_variance + (n_benign - 1) * benign_variance) / (n_harmful + n_benign - 2)
    deviation = np.sqrt(pooled)
    return np.divide(shift, deviation, out=np.zeros_like(shift), where=deviation > 0)


SCORE = Score(
    name="ES",
    title="effect size",
    unit="Cohen's d",
    description="How far a neuron's mean activation on harmful prompts lies above its mean on benign ones, in "
    "pooled standard deviations.",
    source="SafeNeuron, arXiv 2602.12158, Eq. 5-6",
    default_threshold=2.0,
    compute=lambda evidence, options: effect_size(*evidence.observed(ACTIVATIONS)),
    identifies=True,
)
