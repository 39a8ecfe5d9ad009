"""Each plot of the Overlap page has a worked example, and each example a plot."""

import re

from safeneuron.ui.worked import WORKED, worked
from tests.pages.overlap_readings import drawn, part, texts
from tests.plots.test_overlap_figures import FIGURES

CHOSEN_ON_THE_PAGE = {"overlap-ratio-mean", "moved-overlap-ratio-mean", "moved-written-direction"}
NAMES = {draw(None).name for draw in FIGURES.values()} | CHOSEN_ON_THE_PAGE


def test_every_plot_has_one():
    missing = {name for name in NAMES if worked(name) is None}
    assert not missing


def test_every_example_is_of_a_plot():
    assert set(WORKED) <= {re.sub(r"-layer-\d+$", "", name) for name in NAMES}


def test_it_stands_below_what_a_plot_shows(visit, read, no_model):  # noqa: F811
    no_model()
    at = part(visit("overlap"), "Categories")
    assert drawn(at) and WORKED["largest-intersections"] in texts(at)
