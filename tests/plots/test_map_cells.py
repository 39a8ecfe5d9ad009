"""What can be pointed at is the right neuron, in any order and in any part of a map of any size."""

import numpy as np
import pytest

from safeneuron.ordering import Order, by_score
from safeneuron.plots.map_cells import MAX_BINS, MAX_CELLS, View, cells_of, columns_in_part, overview

SMALL, LARGE = (30, 1536), (80, 28672)


def cells(shape, order=None, view=None, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return cells_of(overview(values, order), shape, order, view)


def view(left, right):
    return View((left, right), (-0.5, 10.5), "zoom")


def test_a_small_model_has_a_cell_per_neuron_whatever_is_looked_at():
    for part in (None, view(10, 40)):
        found = cells(SMALL, view=part)
        assert found.all_neurons and found.suits(part) and (found.start, found.width) == (0, 1)
        np.testing.assert_array_equal(found.neurons[7], np.arange(1536))


def test_a_small_model_in_clusters_is_drawn_closer_where_few_columns_are_looked_at():
    """Only a part has room for each cell's neuron, means and rank together."""
    order = Order("cluster", np.random.default_rng(2).permuted(np.tile(np.arange(1536), (30, 1)), axis=1))
    whole, part = cells(SMALL, order), cells(SMALL, order, view(700, 800))
    assert whole.all_neurons and whole.suits(None) and whole.suits(view(0, 900)) and not whole.suits(view(700, 800))
    assert part.part and part.suits(view(700, 800)) and not part.suits(None) and not part.suits(view(0, 900))
    np.testing.assert_array_equal(part.neurons, order.neurons[:, part.start - 1 :][:, :MAX_BINS])
    narrow = (30, 200)
    order = Order("cluster", np.tile(np.arange(200), (30, 1)))
    assert cells(narrow, order, view(10, 40)).suits(view(10, 40)), "a layer of few neurons is always drawn whole"


def test_a_large_model_has_bins_until_few_enough_columns_are_looked_at():
    whole = cells(LARGE)
    assert whole.width > 1 and not whole.all_neurons and not whole.part
    assert whole.suits(None) and whole.suits(view(0, 5000)) and not whole.suits(view(20000, 20200))
    part = cells(LARGE, view=view(19900.3, 20100.8))
    assert part.part and part.width == 1 and part.neurons.shape == (80, MAX_BINS)
    assert part.suits(view(19900.3, 20100.8)) and not part.suits(None) and not part.suits(view(0, 200))
    np.testing.assert_array_equal(part.neurons[0], part.start + np.arange(MAX_BINS))


@pytest.mark.parametrize("shape", [(80, 28672), (126, 53248), (24, 4096), (60, 1000), SMALL, (180, 257)], ids=str)
def test_what_is_drawn_for_a_part_always_suits_it(shape):
    """Or the page would draw it again and again."""
    generator = np.random.default_rng(0)
    widest, pooled = columns_in_part(shape) - 1, overview(np.zeros(shape, dtype=np.float32), None)
    for _ in range(100):
        across = generator.uniform(1, widest)
        left = generator.uniform(-0.5, shape[1] - 0.5 - across)
        for name in (None, "score", "cluster"):
            if shape[0] * shape[1] <= MAX_CELLS and name != "cluster":
                continue
            order = name and Order(name, np.broadcast_to(np.arange(shape[1]), shape))
            first = 0 if order is None else 1
            looked_at = view(left + first, left + first + across)
            found = cells_of(pooled, shape, order, looked_at)
            assert found.part and found.suits(looked_at)


def test_in_an_order_each_place_holds_its_neuron():
    values = np.random.default_rng(1).standard_normal(SMALL)
    order = by_score(values)
    found = cells_of(overview(values, order), SMALL, order, None)
    assert found.start == 1, "places are counted from one"
    np.testing.assert_array_equal(found.neurons, order.neurons)
    assert found.neurons[4, 0] == values[4].argmax()


def test_an_overview_in_an_order_finds_the_strongest_of_each_bin():
    values = np.random.default_rng(1).standard_normal((60, 3000))
    order = Order("cluster", np.random.default_rng(2).permuted(np.tile(np.arange(3000), (60, 1)), axis=1))
    found = cells_of(overview(values, order), (60, 3000), order, None)
    for layer, column in ((0, 0), (33, 100), (59, found.neurons.shape[1] - 1)):
        there = order.neurons[layer, column * found.width : (column + 1) * found.width]
        assert found.neurons[layer, column] == there[values[layer, there].argmax()]


def test_a_rectangle_finds_the_cells_whose_middle_is_in_it():
    found = cells(SMALL)
    assert found.inside([3.6, 5.2], [8.4, 6.9]) == {(7, 4), (7, 5), (8, 4), (8, 5)}
    assert found.inside([5.0, 4.0], [7.0, 7.0]) == {(7, 4), (7, 5)}, "corners in any order, edges included"
    assert found.inside([3.6, 3.9], [6.9, 8.4]) == set()


def test_a_rectangle_on_an_overview_finds_each_bins_strongest():
    found = cells(LARGE)
    middles = [found.middle + column * found.width for column in (5, 6)]
    picked = found.inside([middles[0] - 1, middles[1] + 1], [2.5, 3.5])
    assert picked == {(3, int(found.neurons[3, 5])), (3, int(found.neurons[3, 6]))}


def test_a_lasso_finds_what_is_inside_and_not_what_is_in_its_hollow():
    found = cells(SMALL)
    triangle = found.inside([0.5, 4.5, 0.5], [0.5, 0.5, 4.5])
    assert triangle == {(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1)}
    letter_u = found.inside([0.5, 3.5, 3.5, 2.5, 2.5, 1.5, 1.5, 0.5], [0.5, 0.5, 3.5, 3.5, 1.5, 1.5, 3.5, 3.5])
    assert (2, 1) in letter_u and (2, 3) in letter_u and (1, 2) in letter_u and (2, 2) not in letter_u
