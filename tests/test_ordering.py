"""Orders are permutations; by score is sorted, by cluster puts neurons of a kind side by side."""

import numpy as np
import pytest

from safeneuron.ordering import Order, by_score, cluster_order, ranks


def test_by_score_is_each_layer_sorted_and_places_lead_back():
    values = np.random.default_rng(0).standard_normal((4, 90))
    order = by_score(values)
    arranged = np.take_along_axis(values, order.neurons, axis=1)
    assert (np.diff(arranged, axis=1) <= 0).all()
    np.testing.assert_array_equal(
        np.take_along_axis(order.neurons, order.places(), axis=1), np.tile(np.arange(90), (4, 1))
    )
    sized = np.abs(np.take_along_axis(values, by_score(values, by_magnitude=True).neurons, axis=1))
    assert (np.diff(sized, axis=1) <= 0).all()


def test_equal_scores_stay_in_the_order_of_their_index():
    assert by_score(np.array([[1.0, 2.0, 1.0, 2.0]])).neurons.tolist() == [[1, 3, 0, 2]]


def test_ranks_count_the_neurons_above():
    values = np.array([[0.5, 3.0, 3.0, -1.0], [1.0, 2.0, 3.0, 4.0]])
    assert ranks(values, np.array([[1, 0, 3], [3, 0, 1]])).tolist() == [[1, 3, 4], [1, 4, 3]]


@pytest.fixture
def kinds():
    """Activations of 300 neurons on 40 prompts: five kinds with a profile each, of any scale and mean."""
    generator = np.random.default_rng(3)
    kind = generator.permutation(np.repeat(np.arange(5), 60))
    profiles = generator.standard_normal((5, 40))
    scale, offset = generator.uniform(0.1, 20, 300), generator.uniform(-5, 5, 300)
    return kind, (profiles[kind] * scale[:, None] + offset[:, None]).T + generator.standard_normal((40, 300)) * 0.02


def test_by_cluster_neurons_of_a_kind_stand_side_by_side(kinds):
    kind, activations = kinds
    order = cluster_order(activations)
    assert sorted(order.tolist()) == list(range(300))
    changes = np.count_nonzero(np.diff(kind[order]))
    assert changes == 4, "five kinds, each in one piece"
    assert np.count_nonzero(np.diff(kind)) > 200


def test_the_same_activations_give_the_same_order(kinds):
    np.testing.assert_array_equal(cluster_order(kinds[1]), cluster_order(kinds[1].copy()))


def test_neurons_that_never_vary_come_last():
    activations = np.random.default_rng(0).standard_normal((12, 100))
    activations[:, [7, 3]] = 2.5
    order = cluster_order(activations)
    assert order[-2:].tolist() == [3, 7] and sorted(order.tolist()) == list(range(100))
    assert cluster_order(np.ones((5, 4))).tolist() == [0, 1, 2, 3]


def test_an_order_is_named():
    assert by_score(np.ones((2, 3))).name == "score"
    assert Order("cluster", np.array([[1, 0]])).places().tolist() == [[1, 0]]
