"""What a run changed: the picture of where safety sits, and the flow of neurons, draw every number they were given."""

from dataclasses import replace

import numpy as np
import pytest

from safeneuron.neurons import NeuronSet
from safeneuron.plots import palette
from safeneuron.plots.moved import moved
from safeneuron.plots.set_flow import set_flow_figure
from safeneuron.refusal.rates import rate
from safeneuron.sets.flow import set_flow
from safeneuron.training.stages import NOTHING, OWN, PARENTS, RANDOM, Stage

NAMES = ("before", "after round 1", "after round 2")


def full(*neurons):
    return NeuronSet("FULL", "m", (3, 40), frozenset(neurons))


BEFORE = Stage(
    "before",
    "m0",
    full((0, 1), (0, 2), (2, 3)),
    {NOTHING: rate(0.95, 40, "arditi"), PARENTS: rate(0.05, 40, "arditi"), RANDOM: rate(0.9, 40, "arditi")},
)
BETWEEN = Stage("after round 1", "m1", full((0, 1), (1, 5), (1, 6)), {})
AFTER = Stage(
    "after round 2",
    "m2",
    full((0, 1), (0, 2), (1, 5)),
    BEFORE.refusals | {PARENTS: rate(0.8, 40, "arditi"), OWN: rate(0.6, 40, "arditi")},
)
STAGES = [BEFORE, BETWEEN, AFTER]


def flow_of(*sets):
    return set_flow_figure(set_flow(sets), NAMES[: len(sets)])


def spoken(figure):
    return [note.text for note in figure.plotly.layout.annotations]


@pytest.mark.parametrize("draw", [lambda: moved(STAGES, "a run"), lambda: flow_of(*(one.found for one in STAGES))])
def test_both_say_what_they_show_and_what_they_do_not(draw):
    figure = draw()
    for text in (figure.title, figure.about, figure.caveat):
        assert text.strip() and text == text.strip()
    assert figure.plotly.layout.paper_bgcolor == figure.plotly.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert len(figure.data)


def test_a_row_of_bars_per_stage_parts_the_parents_neurons_from_the_new_ones():
    figure = moved(STAGES, "a run").plotly
    bars = [bar for bar in figure.data if bar.type == "bar" and bar.orientation != "h"]
    kept, new = (
        [list(bar.customdata) for bar in bars if bar.marker.color == palette.MEMBERSHIP[state]]
        for state in ("kept", "joined")
    )
    assert kept == [[2, 0, 1], [1, 0, 0], [2, 0, 0]]
    assert new == [[0, 0, 0], [0, 2, 0], [0, 1, 0]]
    np.testing.assert_allclose(bars[0].y, [100 * 2 / 40, 0, 100 * 1 / 40])
    assert "<b>After round 1</b>: 3 safety neurons, 2 of them new; 2 of the parent's gone" in spoken(moved(STAGES, ""))


def test_refusals_stand_beside_the_stage_with_their_intervals():
    figure = moved(STAGES, "a run").plotly
    rates = [bar for bar in figure.data if bar.type == "bar" and bar.orientation == "h"]
    assert [list(bar.x) for bar in rates] == [[95, 5, 90], [95, 80, 60, 90]]
    assert rates[0].x[1] + rates[0].error_x.array[1] == pytest.approx(100 * BEFORE.refusals[PARENTS].high)
    assert rates[1].text[2].startswith(f"{OWN}: 60.0% [") and "n = 40, judge arditi" in rates[1].text[2]
    # The same place and colour whatever else was measured.
    assert [round(place) for place in rates[0].y] == [0, 1, 3] and len(rates[1].y) == 4
    labels = [trace.text for trace in figure.data if trace.name == "labels"]
    assert labels == [(NOTHING, PARENTS, RANDOM), (NOTHING, PARENTS, OWN, RANDOM)]
    assert "not measured" in spoken(moved(STAGES, "a run"))


def test_the_title_has_the_finding_only_where_it_was_measured():
    found = moved([BEFORE, AFTER], "a run")
    assert found.title == (
        "Refused with the parent's FULL off: 5 % before, 80 % after; its own FULL off: 60 % (n = 40, judge: arditi)"
    )
    for stages in ([BEFORE], [BEFORE, BETWEEN], [replace(BEFORE, refusals={}), AFTER]):
        assert "before," not in moved(stages, "a run").title
    assert "not measured any" in moved([replace(BEFORE, refusals={})], "a run").about


def test_the_picture_of_a_run_in_progress_and_of_empty_sets_is_drawn():
    assert len(moved([BEFORE], "a run").data) == 3 + 3
    empty = moved([replace(BEFORE, found=full()), replace(AFTER, found=full())], "a run").plotly
    assert empty.layout.yaxis.range[1] > 0


def test_bands_of_the_flow_add_up_and_have_the_colour_of_where_they_go():
    (sankey,) = flow_of(*(one.found for one in STAGES)).plotly.data
    labels, colours = sankey.node.label, sankey.node.color
    assert labels[0] == "safety neurons 3" and "came back 1" in labels and "left 2" in labels
    assert sum(sankey.link.value) == 2 * 5, "every neuron goes through every round"
    for target, colour in zip(sankey.link.target, sankey.link.color, strict=True):
        assert colour.rsplit(",", 1)[0] == colours[target].rsplit(",", 1)[0]


def test_the_flow_says_how_many_are_kept_by_chance():
    figure = flow_of(BEFORE.found, AFTER.found)
    # In layer 0 two of 40 and two of 40.
    assert "in the set: 3<br>kept by chance: 0.1" in spoken(figure)
    assert "0.1 of the 2 kept after round 1 (p = 0.001)" in figure.about
    row = figure.data.iloc[1]
    assert (row["kept"], row["new"], row["left"], row["kept by chance"]) == (2, 1, 1, pytest.approx(0.1))
    assert figure.title == "Of 3 safety neurons 2 are still in the set of 3 after round 1"


def test_nodes_of_a_column_do_not_overlap():
    figure = flow_of(*(one.found for one in STAGES))
    (sankey,) = figure.plotly.data
    for x in set(sankey.node.x):
        middles = [y for place, y in zip(sankey.node.x, sankey.node.y, strict=True) if place == x]
        assert middles == sorted(middles) and middles[0] > 0 and middles[-1] < 1


def test_empty_sets_are_said_and_draw_no_flow():
    figure = flow_of(full(), full())
    assert not figure.plotly.data and any("no model has a safety neuron" in text for text in spoken(figure))
    assert len(flow_of(full(), full((0, 1))).plotly.data) == 1
