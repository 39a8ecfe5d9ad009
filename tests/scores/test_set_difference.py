"""One threshold on the rank by safety importance selects Wei et al.'s set difference."""

import numpy as np
import pytest

from safeneuron.scores.set_difference import set_difference, share_below


@pytest.fixture
def importances():
    """Of 1001 neurons a layer: above 99 lie those with more than 990.99 below them, which are ten."""
    draw = np.random.default_rng(0)
    return draw.exponential(size=(3, 1001)), draw.exponential(size=(3, 1001))


def top(values, per_cent):
    return set(np.argsort(-values)[: 10 * per_cent].tolist())


@pytest.mark.parametrize(("q", "p"), [(1, 1), (5, 1), (1, 10), (10, 0)])
def test_above_the_threshold_lies_the_top_by_safety_less_the_top_by_utility(importances, q, p):
    safety, utility = importances
    found = set_difference(safety, utility, p) > 100 - q
    for layer in range(3):
        assert set(np.flatnonzero(found[layer]).tolist()) == top(safety[layer], q) - top(utility[layer], p)


def test_the_rank_is_the_share_of_the_layer_below():
    np.testing.assert_array_equal(
        share_below(np.array([[3.0, 1.0, 2.0, 2.0], [0, 0, 0, 0]])), [[75, 0, 25, 25], [0] * 4]
    )


def test_layers_of_equal_neurons_select_none():
    assert set_difference(np.ones((2, 10)), np.ones((2, 10)), 1.0).max() == 0
