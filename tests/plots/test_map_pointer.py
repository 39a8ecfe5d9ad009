"""What a map answers the mouse: the right neuron, and its numbers as far as there is room."""

import numpy as np
import plotly.graph_objects as go
import pytest

from safeneuron.neurons import NeuronSet
from safeneuron.ordering import Order, by_score
from safeneuron.plots.figure import written_size
from safeneuron.plots.map_cells import MAX_BINS, View
from safeneuron.plots.neuron_map import COVER, POINTER, reach
from tests.plots.drawn_maps import DIGITS, MEANS, carrier, drawn, overview, scores


def test_every_cell_carries_its_neurons_numbers():
    values = scores((30, 1536)) / 10
    means = {label: each / 10 for label, each in MEANS.items()}
    cells = carrier(drawn(values, means=means))
    assert (cells.x0, cells.dx, cells.text) == (0, 1, None)
    np.testing.assert_allclose(cells.z, values, rtol=DIGITS)
    np.testing.assert_allclose(cells.customdata, np.stack([*means.values()], axis=2), rtol=DIGITS)
    for layer, neuron in ((3, 77), (12, 700)):
        assert cells.hovertext[layer, neuron] == (values[layer] > values[layer, neuron]).sum() + 1
    assert "layer %{y}, neuron %{x:d}" in cells.hovertemplate
    assert "mean, benign %{customdata[1]:.3g}" in cells.hovertemplate
    assert "rank %{hovertext:,d} of 1,536 in its layer" in cells.hovertemplate


def test_in_an_overview_each_cell_carries_its_strongest_neuron():
    values = scores((80, 28672))
    figure = drawn(values)
    colours, cells = overview(figure), carrier(figure)
    neuron = np.asarray(cells.text).astype(int)
    assert neuron[3, 77 // cells.dx] == 77
    np.testing.assert_allclose(cells.z, np.take_along_axis(values, neuron, axis=1), rtol=DIGITS)
    assert (cells.x0, cells.dx) == (colours.x0, colours.dx) and cells.dx > 1
    for layer, column in ((0, 0), (41, 200), (79, neuron.shape[1] - 1)):
        start = column * cells.dx
        assert neuron[layer, column] == start + values[layer, start : start + cells.dx].argmax()
    assert "neuron %{text}" in cells.hovertemplate and f"the strongest of {cells.dx} neurons" in cells.hovertemplate


def test_seen_whole_the_pointer_means_the_marked_neuron_or_else_the_strongest():
    values = scores((30, 1536))
    members = NeuronSet("own", "m", values.shape, frozenset({(3, 80), (15, 766), (15, 767)}))
    figure = drawn(values, members)
    exact, cover, bins = figure.plotly.data[:3]
    assert (cover.meta, bins.meta, bins.opacity) == (COVER, POINTER, 0)
    assert bins.dx == 3 * cover.dx and bins.x0 - bins.dx / 2 == cover.x0 - cover.dx / 2, "wide enough to be hit"
    taken = np.asarray(bins.text).astype(int)
    assert taken[3, 80 // bins.dx] == 80, "marked, though 77 beside it is stronger"
    assert taken[15, 766 // bins.dx] == max((766, 767), key=lambda neuron: values[15, neuron])
    start = 5 * bins.dx
    assert taken[20, 5] == start + values[20, start : start + bins.dx].argmax()
    np.testing.assert_allclose(bins.z, np.take_along_axis(values, taken, axis=1), rtol=DIGITS)
    assert "the marked one, or else the strongest of 18 neurons" in bins.hovertemplate
    assert "a click takes the neuron that the pointer names" in reach(figure.cells)
    assert reach(drawn(scores((30, 200))).cells).startswith("Every neuron")


def test_of_a_large_map_the_marked_neurons_can_be_clicked():
    values = scores((80, 28672))
    members = NeuronSet("own", "m", values.shape, frozenset({(3, 80), (40, 20001)}))
    figure = drawn(values, members)
    taken = {(layer, int(neuron)) for layer, row in enumerate(figure.cells.neurons) for neuron in row}
    assert members.neurons <= taken
    assert overview(figure).z[3, 77 // overview(figure).dx] == 255, "the colour is still that of the strongest"


def test_by_score_the_place_is_the_rank():
    values = scores((30, 1536))
    cells = carrier(drawn(values, order=by_score(values)))
    assert cells.hovertext is None and "rank %{x:,d} of 1,536" in cells.hovertemplate


def test_what_does_not_fit_is_left_out_of_the_hover_the_rank_first():
    """Random numbers near 1 are the worst: their bytes are what Plotly writes with six characters."""
    figure = drawn(scores((30, 1536)), means=MEANS)
    cells = carrier(figure)
    assert cells.hovertext is None and "rank" not in cells.hovertemplate
    assert cells.customdata is not None and "neuron %{x:d}" in cells.hovertemplate
    assert set(MEANS) | {"rank in layer"} <= set(figure.data.columns), "the download has all of it"
    pointer = figure.plotly.data[2]
    assert pointer.meta == POINTER
    assert pointer.customdata is not None and pointer.hovertext is not None, "seen whole, the hover tells all"


def test_a_part_of_a_small_map_in_clusters_tells_all():
    values = scores((30, 1536))
    order = Order("cluster", np.random.default_rng(3).permuted(np.tile(np.arange(1536), (30, 1)), axis=1))
    cells = carrier(drawn(values, means=MEANS, order=order, view=View((700.0, 800.0), (-0.5, 29.5), "zoom")))
    assert cells.z.shape == (30, MAX_BINS)
    assert all(numbers is not None for numbers in (cells.text, cells.customdata, cells.hovertext))


@pytest.mark.parametrize("kind", ["f4", "u2", "u1"])
def test_the_size_of_an_array_in_json_is_foreseen(kind):
    array = np.random.default_rng(0).integers(0, 256, (70, 90, 4), dtype=np.uint8).view(kind)
    alone, with_it = (len(go.Figure(go.Heatmap(z=[[1]], **extra)).to_json()) for extra in ({}, {"customdata": array}))
    assert 0 <= written_size(array) - (with_it - alone) < 60
