"""Every figure has axes with units, words about what it shows and does not, and the numbers it draws."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from safeneuron.plots import palette
from safeneuron.plots.activation_distributions import activation_distributions
from safeneuron.plots.neuron_map import HEIGHT
from safeneuron.plots.per_layer import per_layer
from safeneuron.plots.score_histogram import BINS, score_histogram
from safeneuron.plots.training_curves import RunCurves, drawn, training_curves
from tests.plots.examples import (
    BENIGN,
    FIGURES,
    HARMFUL,
    LOSS,
    SETS,
    SPREAD,
)


@pytest.fixture(params=FIGURES, ids=str)
def figure(request):
    return FIGURES[request.param]()


def test_every_figure_says_what_it_shows_and_what_it_does_not(figure):
    for text in (figure.title, figure.about, figure.caveat):
        assert text.strip() and text == text.strip()
    assert len(figure.data)


def test_every_figure_names_its_axes(figure):
    layout = figure.plotly.to_plotly_json()["layout"]
    named = [layout[axis]["title"]["text"] for axis in layout if axis.startswith("xaxis") and "title" in layout[axis]]
    assert named


def test_every_figure_is_transparent(figure):
    layout = figure.plotly.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_counts_stand_beside_the_map_with_the_same_rows():
    beside, left = per_layer(SETS).plotly.layout, FIGURES["map"]().plotly.layout
    assert beside.height == left.height == HEIGHT
    assert (beside.margin.t, beside.margin.b) == (left.margin.t, left.margin.b)
    assert beside.yaxis.range == left.yaxis.range
    assert per_layer(SETS).data["FULL"].tolist() == [2, 0, 1]
    # Nothing but these margins moves the rows.
    assert beside.margin.autoexpand is False
    assert not any(axis.automargin for axis in (beside.xaxis, beside.yaxis, left.xaxis, left.yaxis))
    assert beside.yaxis.title.text == left.yaxis.title.text == "layer"


@pytest.mark.parametrize("name", ["layers", "layers of two"])
def test_counts_are_bars_within_their_rows(name):
    bars = FIGURES[name]().plotly.data
    assert {bar.type for bar in bars} == {"bar"}
    assert all(bar.offset >= -0.5 and bar.offset + bar.width <= 0.5 for bar in bars)


def test_counts_of_two_models_stand_side_by_side():
    figure = FIGURES["layers of two"]()
    assert {bar.name: list(bar.customdata) for bar in figure.plotly.data} == {"this": [2, 0, 1], "other": [0, 0, 1]}
    assert list(figure.data.columns) == ["layer", "a model", "another", "a model, share", "another, share"]


def test_bars_per_layer_are_shares_of_the_layer():
    figure = FIGURES["layers"]()
    full = next(bar for bar in figure.plotly.data if bar.name == "FULL")
    np.testing.assert_allclose(full.x, [100 * 2 / 40, 0, 100 * 1 / 40])
    assert list(full.customdata) == [2, 0, 1] and "%{customdata:,} of 40" in full.hovertemplate
    np.testing.assert_allclose(figure.data["FULL, share"], [0.05, 0, 0.025])


def test_the_histogram_counts_every_neuron_once_and_those_above_the_threshold():
    figure = FIGURES["histogram"]()
    assert figure.data["neurons"].sum() == SPREAD.size and len(figure.data) == BINS
    assert figure.data["above"].sum() == (SPREAD > 2.0).sum() > 100
    assert figure.title.startswith(f"{(SPREAD > 2.0).sum()} of 12,000 neurons have ES above τ = 2.0")
    everything, above = figure.plotly.data
    assert sum(everything.y) == SPREAD.size and above.marker.color == palette.CONDITIONS["ES"]
    assert min(everything.y) > 0, "a logarithm of zero cannot be drawn"
    assert figure.plotly.layout.yaxis.type == "log" and len(figure.plotly.to_json()) < 20_000


def test_the_threshold_is_a_line_in_sight_even_beyond_all_scores():
    for threshold in (0.0, 2.0, 10.0):
        layout = score_histogram(SPREAD, "ES", "d", "a model", threshold=threshold).plotly.layout
        (line,) = layout.shapes
        assert line.x0 == line.x1 == threshold and layout.xaxis.range[0] < threshold < layout.xaxis.range[1]
    assert not FIGURES["histogram of a difference"]().plotly.layout.shapes, "a difference has no threshold"


def test_scores_without_any_spread_have_a_histogram():
    assert score_histogram(np.zeros((3, 40)), "ES", "d", "a model", threshold=2.0).data["neurons"].sum() == 120


def test_curves_without_points_leave_their_axes_empty():
    figure = training_curves([RunCurves("a run", 0, {})], 10)
    assert len(figure.plotly.data) == 3 and len(figure.data) == 0
    assert figure.plotly.layout.xaxis.range == (0.5, 10.5)


def test_what_else_a_run_logged_has_panels_of_its_own():
    steps = np.array([1, 2])
    logged = {"learning_rate": np.array([1e-5, 1e-6]), "tokens_per_second": np.array([90.0, 100.0])}
    logged |= {"system/process_memory_megabytes": np.array([900.0, 910.0])}
    # Refusals have a figure of their own, with intervals.
    assert drawn([*logged, "num_tokens", "logps/chosen", "refusal/log-odds/FULL"]) == list(logged)
    found = training_curves([RunCurves("a run", 0, LOSS | {key: (steps, of) for key, of in logged.items()})], 2)
    titles = [note.text for note in found.plotly.layout.annotations]
    assert titles[3:] == ["learning rate", "tokens per second", "memory (MB)"]
    assert {trace.line.color for trace in found.plotly.data} == {palette.RUNS[0]}
    assert list(found.plotly.data[-1].y) == [900, 910] and not found.plotly.layout.showlegend
    assert len(found.data) == 2 * (1 + len(logged))


def test_steps_are_whole_on_the_axis_of_a_short_run():
    axes = training_curves([RunCurves("a run", 0, LOSS)], 2).plotly.layout
    assert {axis.dtick for axis in (axes.xaxis, axes.xaxis2, axes.xaxis3)} == {1}
    assert training_curves([RunCurves("a run", 0, LOSS)], 48).plotly.layout.xaxis.dtick is None


def test_each_run_has_its_colour_whatever_it_is_compared_with():
    colours = {trace.name: trace.line.color for trace in FIGURES["two runs"]().plotly.data}
    assert colours == {"a run": palette.RUNS[3], "another": palette.RUNS[0]}
    assert [trace.line.color for trace in FIGURES["curves"]().plotly.data] == [palette.RUNS[0]] * 3
    assert [trace.name for trace in FIGURES["two runs"]().plotly.data if trace.showlegend] == ["another", "a run"]


def test_refusals_while_training_have_the_conditions_colours_and_intervals():
    figure = FIGURES["refusals while training"]()
    lines = {trace.name: trace for trace in figure.plotly.data}
    assert list(lines) == ["ORI", "FULL", "RANDOM", "benign prompts"]
    assert lines["FULL"].line.color == palette.CONDITIONS["FULL"]
    assert lines["benign prompts"].line.dash == "dot" and lines["FULL"].line.dash == "solid"
    assert lines["FULL"].y.tolist() == [25.0, 50.0]
    assert "n = 16" in figure.title and "log-odds" in figure.title
    row = figure.data.iloc[0]
    # Wilson's interval of 4 in 16.
    assert (row["low"], row["high"]) == (pytest.approx(0.1018, abs=1e-3), pytest.approx(0.4950, abs=1e-3))


def test_distributions_are_shares_of_each_class_in_the_same_bins():
    figure = FIGURES["distributions"]()
    harmful, benign = figure.plotly.data
    assert sum(harmful.y) == pytest.approx(100) and sum(benign.y) == pytest.approx(100)
    assert harmful.x == benign.x and harmful.marker.color != benign.marker.color
    assert [line.x0 for line in figure.plotly.layout.shapes] == pytest.approx([4.0, 0.5])
    assert figure.title.endswith("d = 1.20 [0.80, 1.60]") and "(n = 40)" in harmful.name
    assert len(figure.data) == 60
    assert activation_distributions("1:7", HARMFUL, BENIGN, 0.0, None, "x").title.endswith("d = 0.00")


def test_categories_stand_with_their_twins_and_intervals_the_highest_on_top():
    figure = FIGURES["categories"]()
    harmful, twins = figure.plotly.data
    assert list(figure.plotly.layout.yaxis.ticktext) == ["fraud", "theft and sabotage"]
    assert (list(harmful.x), list(twins.x)) == ([2.0, 4.0], [0.5, -0.5])
    assert list(harmful.error_x.array) == [1.0, 1.0] and harmful.marker.symbol != twins.marker.symbol
    assert "(n = 5 to 6)" in figure.title


def test_figures_need_no_torch():
    code = (
        "import sys; import safeneuron.plots.neuron_map, safeneuron.plots.per_layer, safeneuron.plots.refusal_bars, "
        "safeneuron.plots.refusal_meter, safeneuron.plots.training_curves, safeneuron.plots.logit_lens, "
        "safeneuron.plots.refusals_while_training, "
        "safeneuron.plots.refusal_by_layer, safeneuron.plots.logit_attribution, "
        "safeneuron.plots.activation_by_category, safeneuron.plots.token_colours; "
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
