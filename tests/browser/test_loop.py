"""The loop as a person walks it: map, click, ablation, answers, a run, a reload, before and after.

Everything is real: the default model, its generated answers, and a masked-DPO run of two steps in
a process of its own. Nothing is timed; waits are generous, since two cores do all of it.
"""

import re
from urllib.parse import unquote

from playwright.sync_api import Locator, Page, expect

SECOND = 1000
MODEL_WORK = 420 * SECOND


def test_a_first_visitor_walks_the_loop(visitor: Page, server, dashboard: str, screenshot) -> None:
    visitor.goto(dashboard)
    chart = _map(visitor)
    screenshot("1-first-visit")
    before = _in_hand(visitor)
    assert before > 20, "the safety neurons of the default model should be in hand on a first visit"

    box = chart.bounding_box()
    assert box is not None
    visitor.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.4)
    visitor.mouse.down()
    visitor.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6, steps=3)
    visitor.mouse.up()
    visitor.wait_for_timeout(2 * SECOND)
    zoomed = _shown(visitor)
    (left, right), (bottom, top) = zoomed
    assert right - left < 400 and top - bottom < 8
    # Near the lower edge of its cell. A second click takes it out again, a third puts it back.
    x = box["x"] + box["width"] * (500 - left) / (right - left)
    y = box["y"] + box["height"] * (top - 14.6) / (top - bottom)
    for hand, count in (("own set", before + 1), ("FULL", before), ("own set", before + 1)):
        visitor.mouse.move(x, y - 2)
        visitor.mouse.click(x, y)
        expect(visitor.get_by_text(f"Set in hand: {hand}")).to_be_visible(timeout=60 * SECOND)
        assert _in_hand(visitor) == count
        visitor.wait_for_timeout(3 * SECOND)
        assert _shown(visitor) == zoomed, "a click must not throw the zoom away"
    assert "changes=15:500" in unquote(visitor.url)
    screenshot("2-a-neuron-clicked")

    visitor.get_by_role("button", name="Switch these off").click()
    prepare, meter = visitor.get_by_role("button", name="Prepare"), visitor.get_by_text("Mean log-odds, 16 harmful")
    expect(prepare.or_(meter).first).to_be_visible(timeout=MODEL_WORK)
    if prepare.count():
        prepare.click()
    expect(meter).to_be_visible(timeout=MODEL_WORK)

    # From nothing to as many neurons as FULL has, faster than the meter follows.
    _segment(visitor, "Neurons", "top k").click()
    expect(visitor.get_by_text(f"top({before}, SAS): {before} neurons")).to_be_visible(timeout=60 * SECOND)
    slider = visitor.locator(".st-key-slider_count input[type=range]")
    slider.press("Home")
    expect(visitor.get_by_text("No neuron is touched")).to_be_visible(timeout=60 * SECOND)
    original = _mean(visitor, fallen=False)
    screenshot("3-nothing-off")
    for _ in range(13):
        slider.press("ArrowRight")
    expect(visitor.get_by_text(f"top({before}, SAS): {before} neurons")).to_be_visible(timeout=60 * SECOND)
    assert _mean(visitor, fallen=True) < original - 2
    rates = visitor.locator("[data-testid=stMetric]").filter(has_text="Harmful refused")
    counts = visitor.get_by_text(re.compile("n = 16, 95 % interval"))
    # Of harmful and benign prompts, under two conditions.
    expect(counts).to_have_count(4, timeout=2 * MODEL_WORK)
    expect(visitor.get_by_text("Writing under")).to_have_count(0, timeout=MODEL_WORK)
    whole, ablated = (_percent(rates.nth(number)) for number in (0, 1))
    screenshot("4-refusals-fall")
    assert whole >= 75
    assert ablated <= whole - 30
    folded = visitor.get_by_text(re.compile(r"— ORI refused, top\(\d+, SAS\) off answered"))
    # The texts behind the rates have changed too.
    expect(folded.nth(2)).to_be_visible(timeout=60 * SECOND)
    _segment(visitor, "Neurons", "FULL").click()
    expect(visitor.get_by_text("Set in hand: FULL")).to_be_visible(timeout=60 * SECOND)

    visitor.get_by_role("link", name="Training").click()
    steps = visitor.get_by_role("spinbutton", name="Optimiser steps")
    steps.fill("2")
    steps.press("Enter")
    visitor.get_by_role("button", name="Start the run").click()
    cancel = visitor.get_by_role("button", name=re.compile("Cancel"))
    expect(cancel.first).to_be_visible(timeout=120 * SECOND)
    screenshot("5-the-run-goes-on")

    visitor.reload()
    expect(cancel.first).to_be_visible(timeout=60 * SECOND)
    screenshot("6-after-a-reload")

    # The run is a process of its own: neither the page nor the server is needed for it to go on.
    server.kill()
    server.start()
    visitor.goto(f"{dashboard}/training")
    expect(cancel.first).to_be_visible(timeout=120 * SECOND)
    expect(visitor.get_by_text(re.compile(r"\d+% of the whole run"))).to_be_visible(timeout=60 * SECOND)
    screenshot("6-after-a-restart-of-the-server")
    link = visitor.get_by_role("link", name="Bars and answers, before and after")
    expect(link).to_be_visible(timeout=4 * MODEL_WORK)
    screenshot("7-the-run-has-finished")

    link.click()
    expect(visitor.get_by_text(re.compile("Before and after:"))).to_be_visible(timeout=60 * SECOND)
    expect(visitor.locator(".js-plotly-plot")).not_to_have_count(0, timeout=60 * SECOND)
    screenshot("8-before-and-after")
    assert visitor.locator(".stException").count() == 0


def _map(visitor: Page) -> Locator:
    """The part of the neuron map that listens to the mouse."""
    area = visitor.locator(".js-plotly-plot .nsewdrag").first
    expect(area).to_be_visible(timeout=120 * SECOND)
    visitor.wait_for_timeout(3 * SECOND)
    return area


def _shown(visitor: Page) -> list[list[float]]:
    """The ends of the map's axes, neurons and layers."""
    return visitor.evaluate(
        "() => { const { xaxis, yaxis } = document.querySelector('.js-plotly-plot').layout; "
        "return [xaxis.range, yaxis.range] }"
    )


def _in_hand(visitor: Page) -> int:
    metric = visitor.locator("[data-testid=stSidebar] [data-testid=stMetricValue]").first
    return int(re.sub(r"\D", "", metric.inner_text()))


def _segment(visitor: Page, group: str, name: str) -> Locator:
    return visitor.get_by_role("radiogroup", name=group).get_by_text(name, exact=True)


def _mean(visitor: Page, fallen: bool) -> float:
    """The meter's mean of the harmful prompts, once it is that of the ablation, or of nothing off."""
    metric = visitor.locator("[data-testid=stMetric]").filter(has_text="Mean log-odds, 16 harmful")
    expect(metric.get_by_text("against ORI")).to_have_count(int(fallen), timeout=MODEL_WORK)
    return float(metric.locator("[data-testid=stMetricValue]").inner_text().replace("−", "-"))


def _percent(metric: Locator) -> int:
    return int(re.sub(r"\D", "", metric.locator("[data-testid=stMetricValue]").inner_text()))
