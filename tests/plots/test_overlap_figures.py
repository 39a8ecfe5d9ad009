"""Figures of the Overlap page: axes, words, numbers for download, the marked layer, and no picture of what is not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from safeneuron.neurons import NeuronSet
from safeneuron.overlap.categories import CategorySets
from safeneuron.overlap.chance import Chance
from safeneuron.overlap.combinations import overlap_ratios
from safeneuron.overlap.composition import KINDS, composition
from safeneuron.overlap.depth import depth_profiles
from safeneuron.overlap.intersections import intersections
from safeneuron.overlap.matrix import jaccard_matrix
from safeneuron.overlap.moved import Moved
from safeneuron.overlap.moved_categories import CategoriesOf, MovedCategories, SharedWithBase
from safeneuron.overlap.moved_probes import MovedProbes, ProbesOf
from safeneuron.overlap.moved_writing import WritingOf
from safeneuron.overlap.probes import ProbeAccuracies
from safeneuron.overlap.representation import Representation
from safeneuron.overlap.stability import Stability
from safeneuron.overlap.two_sets import layer_overlap
from safeneuron.overlap.variations import FoundAgain
from safeneuron.overlap.writing import READINGS, Writing
from safeneuron.plots import palette
from safeneuron.plots.category_matrix import jaccard_heatmap, transfer_heatmap
from safeneuron.plots.composition import composition_by_layer
from safeneuron.plots.depth import depth_rows
from safeneuron.plots.drift import drift_by_layer
from safeneuron.plots.intersections import upset
from safeneuron.plots.kept_by_layer import kept_by_layer
from safeneuron.plots.layer_matrix import MEASURES, layer_matrix
from safeneuron.plots.layer_overlap import overlap_by_layer
from safeneuron.plots.layer_writing import layer_writing
from safeneuron.plots.moved_categories import kept_by_category, ratios_by_model
from safeneuron.plots.moved_probes import probes_by_model
from safeneuron.plots.moved_writing import writing_by_model
from safeneuron.plots.overlap_ratio import overlap_ratio
from safeneuron.plots.probe_accuracy import probe_accuracy
from safeneuron.plots.stability import membership, prompts_needed
from safeneuron.plots.variations import agreement_of_variations

DRAW = np.random.default_rng(0)
MASKS = DRAW.random((4, 6, 30)) < 0.2
MASKS[:, 2] = False
SETS = CategorySets("m", ("fraud", "drugs", "theft_and_sabotage", "privacy"), MASKS)
FULL = NeuronSet("FULL", "m", (6, 30), frozenset({(0, 1), (0, 2), (5, 3)}))
OTHER = NeuronSet("SAS", "m", (6, 30), frozenset({(0, 1), (3, 2)}))
FOUND = Representation(
    harmful=DRAW.random((6, 6)),
    benign=DRAW.random((6, 6)),
    cosines=DRAW.random((6, 6)) * 2 - 1,
    angles=DRAW.random((6, 6, 4)) * 90,
    chance_angle=85.9,
    probes=ProbeAccuracies(DRAW.random((5, 6, 6))),
    categories=SETS.names,
    category_transfer=DRAW.random((6, 4, 4)),
)
WRITING = Writing({f"{reading} {kind}": DRAW.random((6, 30)) for reading in READINGS for kind in ("harmful", "benign")})
STABLE = Stability(
    bootstrap=DRAW.random(100),
    frequency=DRAW.random((6, 30)),
    sizes=np.array([8, 16, 32]),
    with_all=DRAW.random((3, 20)),
    with_each_other=np.where(np.arange(3)[:, None] < 2, DRAW.random((3, 20)), np.nan),
)
PROFILES = depth_profiles({"base": FULL, "run": OTHER})
MOVED = (
    Moved("run:aaaaaaaa", layer_overlap(FULL, OTHER), *PROFILES, np.linspace(0.6, 1, 6), np.ones(6), np.ones(6)),
    Moved("run:bbbbbbbb", None, PROFILES[0], PROFILES[0], np.full(6, 0.9), np.ones(6), np.ones(6)),
)
VARIED = (
    FoundAgain("read at", "max", 9, 2, 0.2, Chance(0.1, 0.01, 1e-4)),
    FoundAgain("wording", "polite", 3, 3, 1.0, Chance(0.1, 0.01, 1e-9)),
    FoundAgain("wording", "curious", 0, 0, np.nan, Chance(0.0, 0.0, 1.0)),
)
WRITES = tuple(
    WritingOf(title, own and WRITING.by_layer(own, "logits"), WRITING.by_layer(FULL, "logits"))
    for title, own in (("base", FULL), ("run:aaaaaaaa", OTHER), ("run:bbbbbbbb", None))
)
PROBED = MovedProbes(FOUND.probes, (ProbesOf("run:aaaaaaaa", FOUND.probes, DRAW.random((5, 6))),))
SHARED = {name: SharedWithBase(9, 8, 5, Chance(0.5, 0.03, 1e-4)) for name in SETS.names[:-1]}
SHARED[SETS.names[-1]] = SharedWithBase(0, 0, 0, Chance(0.0, np.nan, 1.0))
RATIOS = {"union": overlap_ratios(SETS)}
CATEGORIES = MovedCategories(
    CategoriesOf("base", composition(SETS), RATIOS, {}),
    (CategoriesOf("run:aaaaaaaa", composition(SETS), RATIOS, SHARED),),
    (),
)
BY_LAYER = {
    "composition": lambda marked: composition_by_layer(composition(SETS), marked),
    "two sets": lambda marked: overlap_by_layer(layer_overlap(FULL, OTHER), marked),
    "probes": lambda marked: probe_accuracy(FOUND.probes, marked),
    "written": lambda marked: layer_writing(WRITING.by_layer(FULL, "direction"), marked),
    "drift": lambda marked: drift_by_layer(MOVED, "base", marked),
    "kept": lambda marked: kept_by_layer(MOVED, marked),
    "moved probes": lambda marked: probes_by_model(PROBED, "base", marked),
    "moved writing": lambda marked: writing_by_model(WRITES, "logits", marked),
}
MATRICES = {measure.name: lambda marked, measure=measure: layer_matrix(FOUND, measure, marked) for measure in MEASURES}
OTHERS = {
    "depth": lambda marked: depth_rows(depth_profiles({"base": FULL, "run": OTHER}), marked),
    "ratio": lambda marked: overlap_ratio(overlap_ratios(SETS), "union", overlap_ratios(SETS, seed=1)),
    "jaccard": lambda marked: jaccard_heatmap(jaccard_matrix(SETS)),
    "transfer": lambda marked: transfer_heatmap(FOUND.categories, FOUND.category_transfer, 3),
    "intersections": lambda marked: upset(intersections(SETS, most=5)),
    "logits": lambda marked: layer_writing(WRITING.by_layer(FULL, "logits")),
    "prompts": lambda marked: prompts_needed(STABLE, 0.01),
    "membership": lambda marked: membership(STABLE, FULL),
    "moved ratios": lambda marked: ratios_by_model(CATEGORIES, "union"),
    "kept categories": lambda marked: kept_by_category(CATEGORIES.others),
    "variations": lambda marked: agreement_of_variations(VARIED, 3, (0.6, 0.9)),
}
FIGURES = BY_LAYER | MATRICES | OTHERS


@pytest.mark.parametrize("name", FIGURES)
def test_they_say_what_they_show_name_their_axes_and_are_small(name):
    figure = FIGURES[name](None)
    assert figure.title and figure.about.endswith(".") and figure.caveat.endswith(".")
    assert "{" not in figure.about + figure.caveat
    assert figure.plotly.layout.xaxis.title.text or figure.plotly.layout.xaxis2.title.text
    assert len(figure.data) > 1
    assert len(figure.plotly.to_json()) < 100_000


@pytest.mark.parametrize("name", BY_LAYER)
def test_the_layer_that_is_looked_at_is_marked(name):
    def bands(figure):
        return [(one.x0, one.x1) for one in figure.plotly.layout.shapes if one.type == "rect"]

    assert bands(BY_LAYER[name](None)) == []
    assert bands(BY_LAYER[name](4)) == [(3.5, 4.5)]


@pytest.mark.parametrize("name", MATRICES)
def test_its_row_and_column_are_framed(name):
    assert MATRICES[name](None).plotly.layout.shapes == ()
    row, column = MATRICES[name](4).plotly.layout.shapes
    assert (row.y0, row.y1) == (column.x0, column.x1) == (3.5, 4.5)
    assert row.line.color == palette.CHOSEN


@pytest.mark.parametrize("name", [*MATRICES, "kept", "depth"])
def test_every_cell_of_a_heatmap_answers_the_mouse(name):
    drawn = FIGURES[name](None).plotly
    heatmaps = [trace for trace in drawn.data if trace.type == "heatmap"]
    points = [trace for trace in drawn.data if trace.type == "scatter"]
    assert all(trace.hoverinfo == "skip" for trace in heatmaps)
    assert sum(np.asarray(trace.z).size for trace in heatmaps) == sum(len(trace.x) for trace in points)
    assert all(trace.marker.opacity == 0 and trace.hovertemplate for trace in points)


def test_a_point_of_a_matrix_tells_the_cell_it_lies_on():
    measure = MEASURES[0]
    (points,) = [trace for trace in MATRICES[measure.name](None).plotly.data if trace.type == "scatter"]
    told = dict(zip(zip(points.y, points.x, strict=True), np.ravel(points.customdata), strict=True))
    assert told[4, 1] == measure.values(FOUND)[4, 1]


def test_its_cell_is_framed_on_the_axis_of_depth():
    both = OTHERS["depth"](3).plotly.layout.shapes
    assert [(cell.x0, cell.x1) for cell in both] == [(0.5, pytest.approx(4 / 6))] * 2
    assert [(cell.y0 + cell.y1) / 2 for cell in both] == [0, 1], "a row for each model"


def test_a_model_of_other_depth_has_no_such_layer():
    shallow = NeuronSet("FULL", "n", (3, 30), frozenset({(0, 1)}))
    profiles = depth_profiles({"base": FULL, "shallow": shallow})
    (cell,) = depth_rows(profiles, 3).plotly.layout.shapes
    assert (cell.y0 + cell.y1) / 2 == 0


def test_a_layer_without_safety_neurons_is_a_gap_and_not_zero():
    figure = BY_LAYER["composition"](None)
    for bar, kind in zip(figure.plotly.data, KINDS, strict=True):
        assert np.isnan(bar.y[2]) and figure.data[kind][2] == 0
    assert sum(bar.y[1] for bar in figure.plotly.data) == pytest.approx(100)


def test_matrices_have_the_scale_that_their_measure_needs():
    scales = {name: draw(None).plotly.data[0] for name, draw in MATRICES.items()}
    assert (scales["harmful"].zmin, scales["harmful"].zmax) == (0, 1)
    assert scales["difference"].zmin == -scales["difference"].zmax
    assert (scales["angle"].zmin, scales["angle"].zmax, scales["angle"].reversescale) == (0, 90, True)
    assert (scales["probe transfer"].zmin, scales["probe transfer"].zmax) == (50, 100)
    np.testing.assert_allclose(scales["probe transfer"].z, 100 * FOUND.probes.transfer)
    assert "86 degrees" in MATRICES["angle"](None).about


def test_identical_representations_have_a_scale_too():
    same = Representation(**vars(FOUND) | {"harmful": np.ones((6, 6)), "benign": np.ones((6, 6))})
    figure = layer_matrix(same, next(one for one in MEASURES if one.name == "difference"))
    assert (figure.plotly.data[0].zmin, figure.plotly.data[0].zmax) == (-1, 1)


def test_the_sizes_of_the_sets_stand_on_the_diagonal():
    found = jaccard_matrix(SETS)
    heatmap = jaccard_heatmap(found).plotly.data[0]
    assert [heatmap.text[place][place] for place in range(4)] == [f"{found.shared[n, n]:,}" for n in range(4)]
    assert heatmap.text[0][1] == f"{found.jaccard[0, 1]:.2f}"
    assert heatmap.zmax == pytest.approx(found.jaccard[~np.eye(4, dtype=bool)].max())
    assert "theft and sabotage" in heatmap.x


def test_every_intersection_has_its_bar_and_its_dots():
    found = intersections(SETS, most=5)
    bars, sizes, empty, filled, *lines = upset(found).plotly.data
    assert list(bars.y) == found.counts.tolist() and list(sizes.x) == found.sizes.tolist()
    assert len(filled.x) == found.members.sum() and len(empty.x) == (~found.members).sum()
    assert len(lines) == 5
    assert f"{found.left_out:,} neurons" in upset(found).about


def test_two_draws_of_more_than_half_of_the_prompts_have_no_point():
    lines = {trace.name: trace for trace in prompts_needed(STABLE, 0.01).plotly.data if trace.name}
    assert list(lines["two draws of other prompts"].x) == [8, 16]
    assert list(lines["a draw and all prompts"].x) == [8, 16, 32]
    assert list(lines["chance"].y) == [0.01] * 3


def test_overlap_has_the_neurons_of_both_sets_in_parts():
    both, first, second, chance = BY_LAYER["two sets"](None).plotly.data
    assert (both.y[0], first.y[0], second.y[0]) == (1, 1, 0) and (second.y[3], first.y[5]) == (1, 1)
    assert chance.y[0] == pytest.approx(2 / 30)
    assert first.name == "only in FULL" and second.name == "only in SAS"


def test_each_run_has_its_colour_and_each_class_its_dash():
    lines = BY_LAYER["drift"](None).plotly.data
    assert [line.name for line in lines[:2]] == ["run:aaaaaaaa, harmful", "run:aaaaaaaa, benign"]
    assert lines[0].line.color == lines[1].line.color != lines[2].line.color
    assert [line.line.dash for line in lines] == ["solid", "dash"] * 2
    assert BY_LAYER["drift"](None).plotly.layout.yaxis.range[0] == pytest.approx(0.58)


def test_the_base_is_grey_and_each_model_has_its_own_line_and_the_base_s_on_it():
    lines = BY_LAYER["moved writing"](None).plotly.data
    assert [(line.name, line.line.dash) for line in lines] == [
        ("base, its own", "dot"),
        ("run:aaaaaaaa, its own", "solid"),
        ("run:aaaaaaaa, the base's", "dash"),
        ("run:bbbbbbbb, the base's", "dash"),
    ], "a model without safety neurons has no line of its own"
    assert lines[0].line.color == palette.CONDITIONS["ORI"] and lines[1].line.color == lines[2].line.color
    probes = BY_LAYER["moved probes"](None).plotly.data
    np.testing.assert_allclose(probes[2].y, 100 * PROBED.others[0].carried.mean(axis=0))
    assert [line.line.color for line in probes] == [line.line.color for line in lines[:3]]


def test_a_category_without_neurons_is_a_gap_that_says_so():
    (cells,) = OTHERS["kept categories"](None).plotly.data
    assert cells.text[0][-1] == "–" and np.isnan(cells.z[0][-1])
    assert cells.text[0][0] == f"{5 / 12:.2f}" and cells.zmax == pytest.approx(5 / 12)


def test_a_layer_in_which_the_base_has_none_is_a_gap():
    rows = BY_LAYER["kept"](None).plotly.data[0].z
    np.testing.assert_allclose(rows[0], [50, *[np.nan] * 4, 0])
    np.testing.assert_allclose(rows[1], [0, *[np.nan] * 4, 0])


def test_a_variation_without_a_neuron_is_a_gap_that_says_so():
    figure = OTHERS["variations"](None).plotly
    points = {trace.name: trace for trace in figure.data}
    assert np.isnan(points["wording"].x[1]) and points["read at"].x == (0.2,)
    assert [note.y for note in figure.layout.annotations] == ["wording: curious"]
    (shade,) = figure.layout.shapes
    assert (shade.x0, shade.x1) == (0.6, 0.9)
    assert agreement_of_variations(VARIED, 3).plotly.layout.shapes == ()


def test_they_need_no_torch():
    code = (
        "import sys; import safeneuron.plots.layer_matrix, safeneuron.plots.layer_writing, safeneuron.plots.stability, "
        "safeneuron.plots.composition, safeneuron.plots.variations, safeneuron.plots.drift, safeneuron.overlap.parts, "
        "safeneuron.overlap.start; "
        "assert not {'torch', 'transformers', 'streamlit', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
