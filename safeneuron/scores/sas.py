"""SAS: the safety activation shift, standardised within the layer.

    delta = mean_harmful - mean_benign
    z = (delta - mean over the layer of delta) / (standard deviation over the layer of delta)

SafeNeuron, arXiv 2602.12158, Eq. 9-10; selected neurons also need delta > 0. The deviation over
the layer is the population's, since the layer's neurons are all there are.
"""

import numpy as np

from safeneuron.scores.score import ACTIVATIONS, Score
from safeneuron.statistics import ActivationStatistics, mean_shift


def safety_activation_shift(harmful: ActivationStatistics, benign: ActivationStatistics) -> np.ndarray:
    """Return z ``[n_layers, d_mlp]``; at most 0 where delta is not positive, 0 in a constant layer.

    Eq. 10 asks for z above the threshold *and* delta > 0. With a threshold of at least 0, holding
    z at 0 where delta is not positive makes one comparison of the two.
    """
    shift = mean_shift(harmful, benign)
    centre = shift.mean(axis=1, keepdims=True)
    spread = shift.std(axis=1, keepdims=True)
    z = np.divide(shift - centre, spread, out=np.zeros_like(shift), where=spread > 0)
    return np.where(shift > 0, z, np.minimum(z, 0.0))


SCORE = Score(
    name="SAS",
    title="safety activation shift",
    unit="z within the layer",
    description="How far a neuron's mean activation rises from benign to harmful prompts, compared with the "
    "other neurons of its layer.",
    source="SafeNeuron, arXiv 2602.12158, Eq. 9-10",
    default_threshold=6.0,
    compute=lambda evidence, options: safety_activation_shift(*evidence.observed(ACTIVATIONS)),
    identifies=True,
)
