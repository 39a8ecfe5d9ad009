"""Wanda: large weights on large inputs while the model reads refusals, and not while it answers.

    I(W_ij) = |W_ij| * ||X_j||_2,   X_j = the weight's input at the answers' tokens

Wei et al. 2024 (arXiv 2402.05162, paper.md 5.3), after Sun et al. 2023. A neuron's importance is the sum
over its gate row, its up row and its down column (importance.py); safety and utility data are in
calibration.py, the set difference in set_difference.py. The refusals are built-in wordings, so that a model that never
refuses has some.

Reads the inputs of the gate, up and down matrices ``[tokens, in]`` and gives the rank within the layer, in per cent,
``[n_layers, d_mlp]``. Its options are ``prompts`` (of each class) and ``utility_share`` (p of the set difference, per
cent).

Cost, measured on the default model with 32 prompts of each class: 1.8 times a bare forward pass over those
prompts, once the model's answers to the benign ones are kept.
"""

from collections.abc import Mapping

import numpy as np

from safeneuron.scores.option import Value
from safeneuron.scores.score import Evidence, Score
from safeneuron.scores.set_difference import OPTIONS, needed_answers, safety_without_utility


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    from safeneuron.importance import wanda_importance

    return safety_without_utility(evidence, options, wanda_importance, "Wanda")


SCORE = Score(
    name="Wanda",
    title="Wanda, safety without utility",
    unit="% of the layer that matter less",
    description="How large the neuron's weights and what they are multiplied by are in refusals (built-in wordings), "
    "as a rank within the layer; 0 for neurons that matter most for ordinary answers.",
    source="Wei et al. 2024, arXiv 2402.05162 (Wanda score, set difference)",
    default_threshold=99.0,
    compute=_compute,
    options=OPTIONS,
    observes=(),
    pools=False,
    passes=1.8,
    needs_model=True,
    needed_answers=needed_answers,
    highest_threshold=100.0,
    lowest_colour=95.0,
)
