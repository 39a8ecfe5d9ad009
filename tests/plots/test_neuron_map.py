"""The map draws every outlier, stays small, and gives back the neuron that is under the pointer."""

import time

import numpy as np
import pytest

from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.plots.neuron_map import MAX_BINS, MAX_POINTS, View, neuron_map
from safeneuron.plots.pooling import pool

SHAPES = [(12, 3072), (30, 1536), (24, 4096), (32, 14336), (80, 28672)]


def scores(shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    values[3, 77] = 50.0
    return values


def drawn(values, members=None, difference_to=None, **options):
    members = members or NeuronSet("empty", "m", values.shape, frozenset())
    return neuron_map(values, "ES", "Cohen's d", members, "a model", difference_to, **options)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_map_is_at_most_a_megabyte_and_half_a_second(shape):
    values = scores(shape)
    members = from_mask("FULL", "m", values > np.quantile(values, 0.99))
    drawn(scores((4, 80)))  # plotly's own imports are not the map's
    start = time.process_time()
    text = drawn(values, members).plotly.to_json()
    assert time.process_time() - start <= 0.5
    assert len(text) <= 1_000_000


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_neuron_far_above_all_others_is_never_pooled_away(shape):
    figure = drawn(scores(shape)).plotly
    levels = np.asarray(figure.data[0].z)
    assert levels.shape[1] <= MAX_BINS
    width = -(-shape[1] // MAX_BINS)
    assert levels[3, 77 // width] == levels.max() == 255


def test_pooling_keeps_the_largest_and_says_which_it_is():
    values = np.random.default_rng(1).standard_normal((5, 103))
    for bins in (1, 7, 50, 103, 1000):
        pooled = pool(values, bins)
        assert pooled.values.shape[1] <= bins
        np.testing.assert_array_equal(np.take_along_axis(values, pooled.index, axis=1), pooled.values)
        for number in range(pooled.values.shape[1]):
            part = values[:, number * pooled.width : (number + 1) * pooled.width]
            np.testing.assert_array_equal(pooled.values[:, number], part.max(axis=1))


def test_pooling_a_difference_keeps_the_largest_in_magnitude_with_its_sign():
    values = np.array([[0.5, -3.0, 2.0, 0.1]])
    np.testing.assert_array_equal(pool(values, 2, by_magnitude=True).values, [[-3.0, 2.0]])


def test_every_point_is_at_its_neuron_and_carries_its_score():
    values = scores((30, 1536))
    points = drawn(values).plotly.data[1]
    layer, neuron, value = (np.asarray(column) for column in (points.y, points.x, points.customdata))
    assert len(layer) == values.size <= MAX_POINTS
    assert len(set(zip(layer.tolist(), neuron.tolist(), strict=True))) == values.size
    np.testing.assert_allclose(value, values[layer, neuron], rtol=1e-6)


def test_in_an_overview_each_point_is_in_the_middle_of_its_cell_and_carries_its_strongest_neuron():
    values = scores((80, 28672))
    heatmap, points, _ = drawn(values).plotly.data
    layer, (value, neuron) = np.asarray(points.y), np.asarray(points.customdata).T
    neuron = neuron.astype(int)
    assert (3, 77) in set(zip(layer.tolist(), neuron.tolist(), strict=True))
    np.testing.assert_allclose(value, values[layer, neuron], rtol=1e-6)
    np.testing.assert_allclose(np.unique(points.x), heatmap.x0 + heatmap.dx * np.arange(MAX_BINS))
    assert np.abs(neuron - points.x).max() <= heatmap.dx / 2
    for row, column in zip(layer[::5000], neuron[::5000], strict=True):
        start = column // heatmap.dx * heatmap.dx
        assert values[row, column] == values[row, start : start + heatmap.dx].max()


def test_a_bin_is_drawn_over_its_own_neurons():
    heatmap = drawn(scores((30, 1536))).plotly.data[0]
    # Bins of three: the first covers neurons 0, 1, 2, so its middle is neuron 1 and it ends at 2.5.
    assert (heatmap.x0, heatmap.dx) == (1.0, 3)


def test_the_set_in_hand_is_marked_where_it_is():
    members = NeuronSet("own", "m", (30, 1536), frozenset({(0, 5), (29, 1535), (15, 766)}))
    markers = drawn(scores((30, 1536)), members).plotly.data[2]
    assert set(zip(markers.y, markers.x, strict=True)) == members.neurons


def test_differences_are_centred_on_zero():
    values = scores((30, 1536))
    figure = drawn(values, difference_to="the parent")
    bar = figure.plotly.data[0].colorbar
    assert bar.ticktext[2] == "0.0" and "against the parent" in figure.title
    levels = np.asarray(drawn(np.zeros((3, 40)), difference_to="x").plotly.data[0].z)
    assert set(levels.ravel().tolist()) <= {127, 128}


def test_scores_without_any_spread_can_be_drawn():
    assert len(drawn(np.zeros((3, 40))).data) == 120


def test_the_map_is_drawn_in_the_part_and_with_the_tool_that_were_looked_at():
    whole = drawn(scores((30, 1536))).plotly.layout
    assert (whole.xaxis.range, whole.yaxis.range, whole.dragmode) == ((-0.5, 1535.5), (-0.5, 29.5), "zoom")
    part = drawn(scores((30, 1536)), view=View((459.5, 767.5), (11.5, 17.5), "select")).plotly.layout
    assert (part.xaxis.range, part.yaxis.range, part.dragmode) == ((459.5, 767.5), (11.5, 17.5), "select")
    assert part.xaxis.autorangeoptions.maxallowed == 1535.5, "a way back to the whole map"


def test_a_click_anywhere_in_a_cell_finds_its_neuron():
    assert drawn(scores((30, 1536))).plotly.layout.hoverdistance == -1


@pytest.mark.parametrize("threshold", [0.0, 0.3, 2.0, 6.0, 10.0])
def test_the_colour_scale_reaches_past_the_threshold_and_marks_it(threshold):
    values = scores((30, 1536))
    values[0, 0], values[0, 30] = threshold + 0.2, threshold * 1.2 + 0.3
    heatmap = drawn(values, threshold=threshold).plotly.data[0]
    ticks = dict(zip(heatmap.colorbar.ticktext, heatmap.colorbar.tickvals, strict=True))
    mark = ticks[f"<b>τ {threshold:.1f}</b>"]
    assert mark < 255 and "≥" in heatmap.colorbar.ticktext[-2]
    assert mark < np.asarray(heatmap.z)[0, 0] < 255, "above the threshold is brighter than at it"


def test_a_map_of_differences_has_no_threshold():
    figure = drawn(scores((30, 1536)), difference_to="the parent", threshold=6.0)
    assert not any("τ" in text for text in figure.plotly.data[0].colorbar.ticktext) and "τ" not in figure.about
