"""The first result less the second: in the score's unit, or in ranks where there is no common one."""

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.score_difference import percentile_ranks, score_difference
from safeneuron.scores.result import ScoreResult


def result(name, values):
    return ScoreResult(name, "model", np.asarray(values, dtype=float), {})


def test_one_score_is_subtracted_in_its_unit():
    found = score_difference(result("ES", [[1.0, 2.0]]), result("ES", [[0.5, 3.0]]))
    np.testing.assert_array_equal(found.values, [[0.5, -1.0]])
    assert (found.name, found.unit, found.in_ranks) == ("ES", "Cohen's d", False)


def test_two_scores_are_subtracted_in_ranks():
    found = score_difference(result("ES", [[1.0, 2.0, 3.0]]), result("SAS", [[30.0, 20.0, 10.0]]))
    np.testing.assert_allclose(found.values, [[-100.0, 0.0, 100.0]])
    assert (found.name, found.unit, found.in_ranks) == ("ES − SAS", "points of rank", True)


def test_scores_that_order_neurons_alike_do_not_differ():
    values = np.random.default_rng(0).normal(size=(3, 40))
    found = score_difference(result("ES", values), result("SAS", np.exp(values)))
    np.testing.assert_allclose(found.values, 0.0)


def test_ranks_go_from_0_to_100_and_ties_share():
    np.testing.assert_allclose(percentile_ranks(np.array([[5.0, 1.0], [5.0, 9.0]])), [[50.0, 0.0], [50.0, 100.0]])


def test_other_shapes_are_refused():
    with pytest.raises(UserError, match="two models of one shape"):
        score_difference(result("ES", [[1.0, 2.0]]), result("ES", [[1.0], [2.0]]))
