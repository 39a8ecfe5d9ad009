"""The neuron map in a browser: what is pointed at is the right neuron, on a small model and on a very large one.

Nothing here opens a model: the default one's scores come with the package, the large one's are made up.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.scoring import default_prompts
from safeneuron.statistics import statistics_fingerprint
from tests.pages.conftest import keep_statistics

SECOND = 1000

SHAPE = (80, 28672)


PLANTED = {(3, 77), (40, 20001), (40, 20005), (79, 28671)}


AREA = ".st-key-neuron_map_area"


CHART = f"document.querySelector('{AREA} .js-plotly-plot')"


@pytest.fixture
def large_model(make_tiny, session_home: Path) -> Iterator[str]:
    """A model folder whose card says 80 × 28672, with kept statistics, in the dashboard's workspace."""
    folder, name = session_home / "large-for-tests", "large-for-tests"
    tiny = make_tiny("llama")
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    facts = {"title": "large", "fingerprint": name, "n_layers": SHAPE[0], "d_mlp": SHAPE[1], "origin": "Made up."}
    (folder / CARD).write_text(json.dumps(facts))
    write_sums(folder)
    keep_statistics(session_home, name, SHAPE, PLANTED)
    yield str(folder)
    shutil.rmtree(folder)
    for prompts in default_prompts():
        shutil.rmtree(
            session_home / "observations" / "activations" / statistics_fingerprint(name, prompts.prompts, "last")
        )


class Map:
    """A visitor's map: places on it by neuron and layer."""

    def __init__(self, visitor: Page, address: str) -> None:
        self.visitor, self.mouse = visitor, visitor.mouse
        visitor.goto(address)
        expect(visitor.locator(f"{AREA} .nsewdrag").first).to_be_visible(timeout=120 * SECOND)
        visitor.wait_for_timeout(3 * SECOND)

    def axes(self) -> tuple[list[float], list[float]]:
        return self.visitor.evaluate(f"[{CHART}.layout.xaxis.range, {CHART}.layout.yaxis.range]")

    def place(self, neuron: float, layer: float) -> tuple[float, float]:
        box = self.visitor.locator(f"{AREA} .nsewdrag").first.bounding_box()
        (left, right), (bottom, top) = self.axes()
        x = box["x"] + box["width"] * (neuron - left) / (right - left)
        return x, box["y"] + box["height"] * (top - layer) / (top - bottom)

    def drag(self, *corners: tuple[float, float]) -> None:
        """Drag from corner to corner, each (neuron, layer)."""
        self.visitor.locator(f"{AREA} .nsewdrag").first.scroll_into_view_if_needed()
        places = [self.place(*corner) for corner in corners]
        self.mouse.move(*places[0])
        self.mouse.down()
        for place in places[1:]:
            self.mouse.move(*place, steps=4)
        self.mouse.up()

    def zoom(self, left: float, bottom: float, right: float, top: float) -> None:
        before = self.axes()
        self.drag((left, bottom), (right, top))
        self.visitor.wait_for_function(f"JSON.stringify({CHART}?.layout.xaxis.range) !== '{json.dumps(before[0])}'")
        # Told to the server, which may draw other cells.
        self.visitor.wait_for_timeout(4 * SECOND)

    def click(self, neuron: int, layer: int) -> None:
        x, y = self.place(neuron, layer)
        self.mouse.move(x - 2, y - 2)
        self.mouse.move(x, y)
        self.visitor.wait_for_timeout(200)
        self.mouse.click(x, y)

    def hover_text(self, neuron: int, layer: int) -> str:
        x, y = self.place(neuron, layer)
        self.mouse.move(x - 2, y - 2)
        self.mouse.move(x, y)
        shown = self.visitor.locator(f"{AREA} .hoverlayer .hovertext").first
        expect(shown).to_contain_text("layer", timeout=10 * SECOND)
        self.visitor.wait_for_timeout(500)
        return shown.text_content()

    def tool(self, name: str) -> None:
        self.visitor.locator(f"{AREA} .modebar-btn[data-title='{name}']").first.click()
        self.visitor.wait_for_timeout(3 * SECOND)

    def expect_changes(self, neurons: str) -> None:
        """Wait until these neurons are what was put into the set or taken out of it."""
        self.expect_in_address("changes", neurons)
        # The new chart, on which the next click is made.
        self.visitor.wait_for_timeout(3 * SECOND)

    def expect_in_address(self, key: str, value: str) -> None:
        self.visitor.wait_for_function(
            f"(new URL(location.href).searchParams.get('{key}') ?? '') === '{value}'", timeout=60 * SECOND
        )


def test_on_a_small_map_every_pick_finds_its_neurons(visitor: Page, dashboard: str, screenshot) -> None:
    map_ = Map(visitor, f"{dashboard}/?set=ORI")
    map_.zoom(450, 11, 600, 18)
    map_.zoom(485, 12, 535, 17)
    text = map_.hover_text(500, 15)
    assert "layer 15, neuron 500" in text and "mean, harmful" in text and re.search(r"rank \d+ of 1,536", text)

    covers = f"[...document.querySelectorAll('{AREA} .heatmaplayer > .hm')].map((image) => image.style.display)"
    assert visitor.evaluate(covers) == ["", "none", ""], "seen closely, no bins lie over the neurons"

    map_.click(500, 15)
    map_.expect_changes("15:500")
    screenshot("map-small-clicked")
    map_.click(500, 15)
    map_.expect_changes("")

    map_.click(510, 14)
    map_.expect_changes("14:510")
    visitor.keyboard.down("Shift")
    places = [map_.place(neuron, 14) for neuron in (505, 510, 515)]
    for place in places:
        map_.mouse.move(*place)
        visitor.wait_for_timeout(200)
        map_.mouse.click(*place)
        visitor.wait_for_timeout(500)
    visitor.keyboard.up("Shift")
    map_.expect_changes("14:505,14:515")

    map_.tool("Box Select")
    map_.drag((507.6, 12.6), (509.4, 13.4))
    map_.expect_changes("13:508,13:509,14:505,14:515")
    map_.tool("Lasso Select")
    visitor.get_by_text("takes out", exact=True).click()
    visitor.wait_for_timeout(4 * SECOND)
    map_.drag((508.5, 12.5), (508.5, 14.5), (512.5, 14.5), (512.5, 12.5), (508.6, 12.5))
    map_.expect_changes("13:508,14:505,14:515")

    map_.tool("Zoom")
    visitor.mouse.dblclick(*map_.place(500, 15))
    visitor.wait_for_timeout(4 * SECOND)
    assert map_.axes() == [[-0.5, 1535.5], [-0.5, 29.5]]
    map_.expect_changes("13:508,14:505,14:515")
    assert visitor.evaluate(covers) == ["", "", ""], "seen whole, no cell is narrower than a pixel"
    assert visitor.locator(".stException").count() == 0


def test_seen_whole_a_click_takes_the_neuron_that_the_pointer_names(visitor: Page, dashboard: str, screenshot) -> None:
    map_ = Map(visitor, f"{dashboard}/?set=ORI&changes=15:500")
    text = map_.hover_text(502, 15)
    assert "neuron 500" in text, "the marked one, not the one under the pixel"
    assert "mean, benign" in text and re.search(r"rank \d+ of 1,536", text)
    screenshot("map-whole-pointed-at")
    map_.click(502, 15)
    map_.expect_changes("")
    visitor.mouse.move(5, 5)
    named = re.search(r"layer (\d+), neuron (\d+)", map_.hover_text(701, 20))
    assert named and named[1] == "20" and abs(int(named[2]) - 701) < 19
    map_.click(701, 20)
    map_.expect_changes(f"20:{named[2]}")

    map_.tool("Box Select")
    map_.drag((300, 10.6), (304, 13.4))
    expect(visitor.get_by_text("That is less than 8 pixels wide")).to_be_visible(timeout=60 * SECOND)
    visitor.wait_for_timeout(3 * SECOND)
    map_.drag((300, 10.6), (330, 13.4))
    visitor.wait_for_function("new URL(location.href).searchParams.get('changes')?.startsWith('11:')")
    changes = [
        tuple(map(int, part.split(":"))) for part in parse_qs(urlsplit(visitor.url).query)["changes"][0].split(",")
    ]
    boxed = {change for change in changes if change[0] != 20}
    assert {layer for layer, _ in boxed} == {11, 12, 13}, "a narrow box is no stripe over all neurons"
    assert 75 <= len(boxed) <= 105 and all(296 <= neuron <= 334 for _, neuron in boxed)
    assert visitor.locator(".stException").count() == 0


def test_on_a_very_large_map_a_zoom_shows_true_neurons(visitor, dashboard, large_model, screenshot) -> None:
    map_ = Map(visitor, f"{dashboard}/?model={large_model}&set=ORI&tau_ES=4&tau_SAS=10")
    widths = f"{CHART}.data.filter((trace) => trace.type === 'heatmap').map((trace) => trace.dx)"
    assert min(visitor.evaluate(widths)) > 1
    assert "the strongest of" in map_.hover_text(20001, 40)
    screenshot("map-large-whole")
    map_.zoom(18900, 20, 21200, 60)
    map_.zoom(19900, 30, 20150, 50)
    visitor.wait_for_function(f"{CHART} && {widths}.includes(1)", timeout=60 * SECOND)
    visitor.wait_for_timeout(3 * SECOND)
    map_.zoom(19985, 37, 20030, 43)
    assert "layer 40, neuron 20001" in map_.hover_text(20001, 40)
    for neuron, layer, changes in ((20005, 40, "40:20005"), (20012, 41, "40:20005,41:20012")):
        map_.click(neuron, layer)
        map_.expect_changes(changes)
    screenshot("map-large-part")
    visitor.mouse.dblclick(*map_.place(20020, 39))
    visitor.wait_for_function(f"{CHART} && !{widths}.includes(1)", timeout=60 * SECOND)
    map_.expect_changes("40:20005,41:20012")
    assert map_.axes() == [[-0.5, 28671.5], [-0.5, 79.5]]
    assert visitor.locator(".stException").count() == 0


def test_a_ticked_row_and_a_click_on_the_map_open_a_card(visitor: Page, dashboard: str) -> None:
    visitor.goto(dashboard)
    table = visitor.locator("[data-testid=stDataFrame]").first
    expect(table).to_be_visible(timeout=120 * SECOND)
    table.scroll_into_view_if_needed()
    visitor.wait_for_timeout(3 * SECOND)
    box = table.bounding_box()
    visitor.mouse.click(box["x"] + 15, box["y"] + 36 + 17)
    visitor.wait_for_function("new URL(location.href).searchParams.has('neuron')", timeout=60 * SECOND)
    neuron = parse_qs(urlsplit(visitor.url).query)["neuron"][0]
    card = visitor.locator(".st-key-neuron_card")
    expect(card.get_by_text("1 of 46,080")).to_be_in_viewport(timeout=60 * SECOND)
    expect(card.get_by_role("textbox")).to_have_value(neuron)
    layer, index = map(int, neuron.split(":"))
    visitor.wait_for_timeout(3 * SECOND)
    frame = visitor.evaluate(f"(({{ x, y, marker }}) => [x[0], y[0], marker.opacity])({CHART}._fullData.at(-1))")
    assert frame == [index, layer, 1]

    visitor.get_by_text("shows its card", exact=True).click()
    visitor.wait_for_timeout(3 * SECOND)
    plot = visitor.locator(f"{AREA} .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    visitor.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    visitor.mouse.click(box["x"] + box["width"] / 3 + 1, box["y"] + box["height"] / 2)
    expect(visitor.get_by_text(re.compile(r"The card of neuron \d+:\d+ is open below the map"))).to_be_visible()
    clicked = parse_qs(urlsplit(visitor.url).query)["neuron"][0]
    assert clicked != neuron and "changes" not in visitor.url, "the set stays as it is"
    expect(card.get_by_role("textbox")).to_have_value(clicked)
    expect(card.get_by_text(re.compile(r"of 46,080"))).to_be_visible()
