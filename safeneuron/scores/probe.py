"""Probe: the weights of a linear probe between harmful and benign prompts in every layer (NeuroStrike).

    min over w, b of   mean over prompts of log(1 + exp(-y (w . x + b))) + lambda / 2 |w|^2
    score = z-score of w within the layer, selected above 3 where w > 0

x holds the layer's activations ``[d_mlp]``, each standardised over all prompts, y is 1 on harmful and
-1 on benign ones. What differs from NeuroStrike (arXiv 2509.11864, paper.md 5.5): its features are the
outputs of gate_proj and up_proj, two probes a layer, where ours are SafeNeuron's neurons, the products
act(gate) * up; its activations are raw, where ours are standardised, so that a neuron's scale does not
set its weight; it takes 5000 steps of Adam with weight decay 1e-3 on weights and bias, where we solve
for the minimum with that lambda on the weights alone. It pools by the maximum over tokens: choose ``max``.

How to read it: with no more prompts than neurons in a layer a probe separates *any* two classes, in
every layer, even of shuffled labels. Then the weights say which neurons the widest margin leans on, not
that the layer knows harm, and since z is within the layer most layers have neurons above 3. On 24 + 24
prompts the embedded model has 62 such neurons, and with the labels shuffled 108, 120 and 126. So a count
says nothing; compare neurons of one layer, and give more prompts than a layer has neurons if you can. Two
neurons that always fire together share one weight.

A neuron that varies by no more than rounding has weight 0 and so no score above 0; in a layer of such
neurons only, all scores are 0.

Takes every prompt's activations ``[n_layers, prompts, d_mlp]`` and gives ``[n_layers, d_mlp]``. Its option
``regularisation`` is lambda.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from safeneuron.errors import UserError
from safeneuron.observations.record import ActivationRecord, both_classes
from safeneuron.progress import Progress, silent
from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import Evidence, Score
from safeneuron.scores.within_layer import rising_z
from safeneuron.statistics import ROUNDING

REGULARISATION = Option(
    name="regularisation",
    title="Regularisation λ",
    help="How much large weights cost the probe. A small λ lets it lean on few neurons, a large one spreads the "
    "weights over all that differ between the classes. NeuroStrike's weight decay is 0.001.",
    default=0.001,
    bounds=(0.0001, 100.0),
    step=0.001,
)
GRADIENT = 1e-8
"""Largest slope of the loss at what counts as its minimum; at scikit-learn's 1e-4, weights are up to half wrong."""


def probe_weights(
    harmful: ActivationRecord, benign: ActivationRecord, regularisation: float, progress: Progress = silent
) -> np.ndarray:
    """Return the weights of every layer's probe on standardised activations, ``[n_layers, d_mlp]``.

    Raises
    ------
    UserError
        When the minimum is not found.
    """
    labels = np.repeat([1, -1], [len(harmful.prompts), len(benign.prompts)])
    _, layers, width = harmful.shape
    weights = np.zeros((layers, width))
    for layer in range(layers):
        progress("Fitting a probe in every layer", layer / layers)
        weights[layer] = _fitted(_standardised(both_classes(harmful, benign, layer)), labels, regularisation)
    progress("Fitting a probe in every layer", 1.0)
    return weights


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Return ``[n, d_mlp]`` with mean 0 and deviation 1 over the prompts, 0 where there is only rounding."""
    deviation = rows.std(axis=0)
    size = np.sqrt(np.square(rows).mean(axis=0))
    varies = deviation > ROUNDING * np.median(size)
    centred = rows - rows.mean(axis=0)
    return np.divide(centred, deviation, out=np.zeros_like(rows), where=varies)


def _fitted(features: np.ndarray, labels: np.ndarray, regularisation: float) -> np.ndarray:
    # Here, since importing it takes seconds, and kept scores are shown without.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # scikit-learn weighs the sum of the losses, not their mean.
    probe = LogisticRegression(C=1 / (regularisation * len(labels)), tol=GRADIENT, max_iter=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return probe.fit(features, labels).coef_[0]
        except ConvergenceWarning:
            raise UserError("The probe found no minimum; choose a larger regularisation.") from None


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    harmful, benign = evidence.observed("record")
    return rising_z(probe_weights(harmful, benign, options["regularisation"], evidence.progress))


SCORE = Score(
    name="Probe",
    title="linear probe",
    unit="z of the weight within the layer",
    description="How much a linear probe that tells harmful from benign prompts by one layer's neurons leans on a "
    "neuron, compared with the others of the layer.",
    source="NeuroStrike, arXiv 2509.11864: |z| > 3 and w > 0",
    default_threshold=3.0,
    compute=_compute,
    options=(REGULARISATION,),
    observes=("record",),
)
