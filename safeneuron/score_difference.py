"""The difference of two results, neuron by neuron: two models, two prompt sets, two poolings, or two methods.

Values of one score are subtracted as they are. Those of two scores have no common unit, so each is
first turned into its rank: the share of the model's neurons below it, in per cent (ties share their
mean rank). Always the first less the second.
"""

from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.scores.result import ScoreResult


@dataclass(frozen=True)
class ScoreDifference:
    """How far the first of two results lies above the second.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    name, unit : str
        For axes and titles.
    in_ranks : bool
        Whether ranks were subtracted, not values.
    """

    values: np.ndarray
    name: str
    unit: str
    in_ranks: bool


def score_difference(first: ScoreResult, second: ScoreResult) -> ScoreDifference:
    """Return the first result less the second.

    Raises
    ------
    UserError
        When they are of models of different shapes.
    """
    if first.values.shape != second.values.shape:
        raise UserError(
            f"One result has {first.values.shape[0]} layers of {first.values.shape[1]} neurons, the other "
            f"{second.values.shape[0]} of {second.values.shape[1]}; choose two models of one shape."
        )
    if first.name == second.name:
        return ScoreDifference(first.values - second.values, first.name, first.score.unit, False)
    values = percentile_ranks(first.values) - percentile_ranks(second.values)
    return ScoreDifference(values, f"{first.name} − {second.name}", "points of rank", True)


def percentile_ranks(values: np.ndarray) -> np.ndarray:
    """Return the share of all neurons that each one lies above, in per cent, ``[n_layers, d_mlp]``."""
    # SciPy's statistics take half a second to import, which a first visit need not wait for.
    from scipy.stats import rankdata

    ranks = rankdata(values, method="average").reshape(values.shape)
    return 100.0 * (ranks - 1.0) / max(values.size - 1, 1)
