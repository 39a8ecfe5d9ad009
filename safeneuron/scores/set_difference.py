"""Neurons that matter for refusing and not for answering: Wei et al.'s set difference, for neurons.

Wei et al. (arXiv 2402.05162, paper.md 5.3) take, in every matrix, the weights in the top q % by safety
importance less those in the top p % by utility importance. Here the neurons of a layer are ranked
instead of the weights of a matrix, so that one threshold is q: above 99 lie the top 1 %.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.prompts.answers import NeededAnswers
from safeneuron.prompts.classes import calibration_order
from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import Evidence

if TYPE_CHECKING:
    from safeneuron.importance import Importance
    from safeneuron.prompts.classes import PromptClasses

OPTIONS = (
    Option(
        "prompts",
        "Prompts of each class",
        "How many harmful and how many benign prompts to use; all, if a class has fewer. Wei et al. use 128.",
        default=32,
        bounds=(1, 4096),
    ),
    Option(
        "utility_share",
        "Utility neurons left out, per cent",
        "Neurons among this many per cent of their layer that matter most for ordinary answers get 0. "
        "0 leaves none out. Wei et al. call it p.",
        default=1.0,
        bounds=(0.0, 100.0),
        step=0.5,
    ),
)


def safety_without_utility(
    evidence: Evidence, options: Mapping[str, Value], importance: "Importance", name: str
) -> np.ndarray:
    """Return the score of an importance of neurons, ``[n_layers, d_mlp]``; see :func:`set_difference`."""
    from safeneuron.calibration import safety_examples, utility_examples

    loaded, count = evidence.model(), options["prompts"]
    examples = {
        "harmful": safety_examples(loaded, evidence.classes, count),
        "benign": utility_examples(loaded, evidence.classes, count, evidence.progress),
    }
    safety, utility = (
        importance(loaded, found, evidence.progress, f"{name} on {kind} prompts", evidence.unfinished(kind))
        for kind, found in examples.items()
    )
    return set_difference(safety, utility, options["utility_share"])


def needed_answers(classes: "PromptClasses", options: Mapping[str, Value]) -> NeededAnswers:
    """Return the benign prompts that the model answers first; where it refuses some, more take their place."""
    return NeededAnswers(tuple(calibration_order(classes.benign.prompts)[: options["prompts"]]))


def set_difference(safety: np.ndarray, utility: np.ndarray, utility_share: float) -> np.ndarray:
    """Return the safety rank in per cent, 0 for the layer's top ``utility_share`` per cent by utility.

    Parameters
    ----------
    safety, utility : numpy.ndarray
        Importances ``[n_layers, d_mlp]``.
    utility_share : float
        Per cent.
    """
    return np.where(share_below(utility) > 100 - utility_share, 0.0, share_below(safety))


def share_below(values: np.ndarray) -> np.ndarray:
    """Return, of every neuron, how many per cent of its layer have a lower value, ``[n_layers, d_mlp]``."""
    return np.stack([100 * np.searchsorted(np.sort(row), row) / len(row) for row in values])
