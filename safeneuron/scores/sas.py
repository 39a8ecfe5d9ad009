"""SAS: the safety activation shift, standardised within the layer.

    delta = mean_harmful - mean_benign
    z = (delta - mean over the layer of delta) / (standard deviation over the layer of delta)

SafeNeuron, arXiv 2602.12158, Eq. 9-10; selected neurons also need delta > 0. The deviation over
the layer is the population's, since the layer's neurons are all there are.

Takes both classes' means ``[n_layers, d_mlp]`` and gives z of that shape. It has no options.
"""

import numpy as np

from safeneuron.scores.score import ACTIVATIONS, Score
from safeneuron.scores.within_layer import rising_z
from safeneuron.statistics import ActivationStatistics, mean_shift


def safety_activation_shift(harmful: ActivationStatistics, benign: ActivationStatistics) -> np.ndarray:
    """Return z ``[n_layers, d_mlp]``; at most 0 where delta is not positive, 0 in a constant layer."""
    return rising_z(mean_shift(harmful, benign))


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
