"""SNIP: weights whose change would change refusals most, and not the model's ordinary answers.

    I(W_ij) = |W_ij| * sum over x of |dL(x) / dW_ij|,   L = negative log-likelihood of the answer

Wei et al. 2024 (arXiv 2402.05162, paper.md 5.3). A neuron's importance is the sum over its gate row, its
up row and its down column (importance.py); safety and utility data are in calibration.py, the set
difference in set_difference.py. The refusals are built-in wordings, so that a model that never refuses has some.

Reads gradients of the gate, up and down matrices and gives the rank within the layer, in per cent, ``[n_layers,
d_mlp]``. Its options are ``prompts`` (of each class) and ``utility_share`` (p of the set difference, per cent).

Cost, measured on the default model with 32 prompts of each class: 6.6 times a bare forward pass over those
prompts, once the model's answers to the benign ones are kept.
"""

from collections.abc import Mapping

import numpy as np

from safeneuron.scores.option import Value
from safeneuron.scores.score import Evidence, Score
from safeneuron.scores.set_difference import OPTIONS, needed_answers, safety_without_utility


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    from safeneuron.importance import snip_importance

    return safety_without_utility(evidence, options, snip_importance, "SNIP")


SCORE = Score(
    name="SNIP",
    title="SNIP, safety without utility",
    unit="% of the layer that matter less",
    description="How much refusals, in built-in wordings, would change with the neuron's weights, to first order, as a "
    "rank within the layer; 0 for neurons that matter most for ordinary answers. Needs gradients.",
    source="Wei et al. 2024, arXiv 2402.05162 (SNIP score, set difference)",
    default_threshold=99.0,
    compute=_compute,
    options=OPTIONS,
    observes=(),
    pools=False,
    passes=6.6,
    needs_model=True,
    needed_answers=needed_answers,
    highest_threshold=100.0,
    lowest_colour=95.0,
)
