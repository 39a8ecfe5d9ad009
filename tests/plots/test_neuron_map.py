"""The map draws every outlier, stays small, and gives back the neuron that is under the pointer."""

import numpy as np
import pytest

from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.ordering import Order, by_score
from safeneuron.plots.map_cells import MAX_BINS, View
from safeneuron.plots.neuron_map import COVER
from safeneuron.plots.pooling import pool
from tests.plots.drawn_maps import DIGITS, SHAPES, carrier, drawn, overview, scores


@pytest.mark.parametrize("ordered", [None, "score", "cluster"])
@pytest.mark.parametrize("looked_at", [None, View((900.0, 1300.0), (-0.5, 20.5), "zoom")], ids=["whole", "part"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_map_is_at_most_a_megabyte(shape, looked_at, ordered):
    """Its time is a row of ``bench``: two runs of a clock on a shared machine do not compare."""
    values = scores(shape)
    members = from_mask("FULL", "m", values > np.quantile(values, 0.99))
    means = {"mean, harmful": scores(shape, 1), "mean, benign": scores(shape, 2)}
    order = ordered and Order(ordered, by_score(values).neurons)
    figure = drawn(values, members, means=means, order=order, view=looked_at, threshold=2.0, chosen=(0, 0))
    assert len(figure.plotly.to_json()) <= 1_000_000


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_neuron_far_above_all_others_is_never_pooled_away(shape):
    colours = overview(drawn(scores(shape)))
    levels = np.asarray(colours.z)
    assert levels.shape[1] <= MAX_BINS
    assert levels[3, 77 // colours.dx] == levels.max() == 255


def test_pooling_keeps_the_largest_and_says_which_it_is():
    values = np.random.default_rng(1).standard_normal((5, 103))
    for bins in (1, 7, 50, 103, 1000):
        pooled = pool(values, bins)
        assert pooled.values.shape[1] <= bins
        np.testing.assert_array_equal(np.take_along_axis(values, pooled.index, axis=1), pooled.values)
        for number in range(pooled.values.shape[1]):
            part = values[:, number * pooled.width : (number + 1) * pooled.width]
            np.testing.assert_array_equal(pooled.values[:, number], part.max(axis=1))


def test_a_part_of_a_large_map_shows_its_true_neurons():
    values = scores((80, 28672))
    whole, part = drawn(values), drawn(values, view=View((20000.5, 20200.5), (10.0, 30.0), "zoom"))
    cells = carrier(part)
    assert cells.dx == 1 and cells.x0 == part.cells.start
    assert part.plotly.data[1] is cells and overview(part).meta is None, "the exact cells lie over the overview"
    there = values[:, part.cells.start : part.cells.start + cells.z.shape[1]]
    np.testing.assert_allclose(cells.z, there, rtol=DIGITS)
    backdrop = [overview(figure) for figure in (whole, part)]
    np.testing.assert_array_equal(backdrop[0].z, backdrop[1].z)
    assert backdrop[0].colorbar.ticktext == backdrop[1].colorbar.ticktext, "a colour means the same in both"
    assert (cells.zmin, cells.zmax) == (carrier(whole).zmin, carrier(whole).zmax)


def test_the_overview_of_a_small_map_covers_the_exact_cells_in_the_same_colours():
    figure = drawn(scores((30, 1536)), threshold=3.0)
    exact, cover = figure.plotly.data[:2]
    assert exact is carrier(figure) and cover is overview(figure) and cover.meta == COVER
    assert exact.colorscale == cover.colorscale
    texts = cover.colorbar.ticktext
    assert (f"≤ {exact.zmin:.1f}", f"≥ {exact.zmax:.1f}") == (texts[0], next(text for text in texts if "≥" in text))


@pytest.mark.parametrize("shape", [(30, 1536), (80, 28672)], ids=str)
@pytest.mark.parametrize("looked_at", [None, View((700.0, 1000.0), (-0.5, 29.5), "zoom")], ids=["whole", "part"])
def test_in_another_order_marks_and_cells_stand_at_their_places(shape, looked_at):
    values = scores(shape)
    order = by_score(values)
    members = NeuronSet("own", "m", shape, frozenset({(3, 77), (15, 766), (29, 1535)}))
    figure = drawn(values, members, order=order, view=looked_at, chosen=(15, 766))
    marks, chosen = figure.plotly.data[-2:]
    found = {(layer, int(order.neurons[layer, place - 1])) for layer, place in zip(marks.y, marks.x, strict=True)}
    assert found == members.neurons and marks.x[0] == 1, "3:77 is the highest of its layer"
    assert (chosen.y[0], int(order.neurons[15, chosen.x[0] - 1])) == (15, 766)
    cells = carrier(figure)
    for row, column in ((3, 0), (20, 150)):
        neuron = int(cells.text[row, column])
        assert cells.z[row, column] == pytest.approx(values[row, neuron], rel=DIGITS)
    assert "highest score first" in figure.plotly.layout.xaxis.title.text
    assert "Neighbouring columns have nothing" not in figure.about and "ordered by itself" in figure.about


def test_a_bin_is_drawn_over_its_own_neurons():
    heatmap = overview(drawn(scores((30, 1536))))
    # Bins of six: the first covers neurons 0 to 5, so its middle is at 2.5 and it ends at 5.5.
    assert (heatmap.x0, heatmap.dx) == (2.5, 6)


def test_the_set_in_hand_is_marked_where_it_is():
    members = NeuronSet("own", "m", (30, 1536), frozenset({(0, 5), (29, 1535), (15, 766)}))
    markers = drawn(scores((30, 1536)), members).plotly.data[-2]
    assert set(zip(markers.y, markers.x, strict=True)) == members.neurons


def test_differences_are_centred_on_zero():
    values = scores((30, 1536))
    figure = drawn(values, difference_to="the parent")
    bar = overview(figure).colorbar
    assert bar.ticktext[2] == "0.0" and figure.title == "Difference of ES of every neuron in a model minus the parent"
    assert (
        bar.title.text == "difference of ES, Cohen's d" and "<b>difference of ES %{z" in carrier(figure).hovertemplate
    )
    levels = np.asarray(overview(drawn(np.zeros((3, 40)), difference_to="x")).z)
    assert set(levels.ravel().tolist()) <= {127, 128}


def test_scores_without_any_spread_can_be_drawn():
    assert len(drawn(np.zeros((3, 40))).data) == 120


def test_the_map_is_drawn_in_the_part_and_with_the_tool_that_were_looked_at():
    whole = drawn(scores((30, 1536))).plotly.layout
    assert (whole.xaxis.range, whole.yaxis.range, whole.dragmode) == ((-0.5, 1535.5), (-0.5, 29.5), "zoom")
    part = drawn(scores((30, 1536)), view=View((459.5, 767.5), (11.5, 17.5), "select")).plotly.layout
    assert (part.xaxis.range, part.yaxis.range, part.dragmode) == ((459.5, 767.5), (11.5, 17.5), "select")
    assert part.xaxis.autorangeoptions.maxallowed == 1535.5, "a way back to the whole map"


def test_one_neuron_is_pointed_out_and_without_one_nothing_is_seen():
    framed, nothing = (drawn(scores((30, 1536)), chosen=neuron).plotly.data[-1] for neuron in ((15, 766), None))
    assert (framed.x[0], framed.y[0], framed.marker.opacity) == (766, 15, 1.0)
    assert len(nothing.x) == 1 and nothing.marker.opacity == 0.0, "box and lasso are only there with a point"


@pytest.mark.parametrize("threshold", [0.0, 0.3, 2.0, 6.0, 10.0])
def test_the_colour_scale_reaches_past_the_threshold_and_marks_it(threshold):
    values = scores((30, 1536))
    values[0, 0], values[0, 30] = threshold + 0.2, threshold * 1.2 + 0.3
    heatmap = overview(drawn(values, threshold=threshold))
    ticks = dict(zip(heatmap.colorbar.ticktext, heatmap.colorbar.tickvals, strict=True))
    mark = ticks[f"<b>τ {threshold:.1f}</b>"]
    assert mark < 255 and "≥" in heatmap.colorbar.ticktext[-2]
    assert mark < np.asarray(heatmap.z)[0, 0] < 255, "above the threshold is brighter than at it"


def test_a_map_of_differences_has_no_threshold():
    figure = drawn(scores((30, 1536)), difference_to="the parent", threshold=6.0)
    assert not any("τ" in text for text in overview(figure).colorbar.ticktext) and "τ" not in figure.about


def test_a_score_whose_sign_matters_is_centred_on_zero_and_keeps_its_threshold():
    figure = drawn(scores((30, 1536)), signed=True, threshold=2.0)
    assert "<b>τ 2.0</b>" in overview(figure).colorbar.ticktext and "minus" not in figure.title
    levels = np.asarray(overview(drawn(np.zeros((3, 40)), signed=True)).z)
    assert set(levels.ravel().tolist()) <= {127, 128}
    values = np.zeros((3, 40))
    values[1, 5] = -7.0
    assert drawn(values, signed=True).data.loc[lambda rows: rows["ES"] == -7.0, "rank in layer"].tolist() == [1]
