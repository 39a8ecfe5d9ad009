"""A layer that is clicked on the Overlap page is marked, and leads to its neurons on the map."""

import re
from urllib.parse import unquote

from playwright.sync_api import Page, expect

SECOND = 1000


def test_a_clicked_layer_is_marked_and_leads_to_the_map(visitor: Page, dashboard: str, settled, screenshot) -> None:
    visitor.goto(f"{dashboard}/overlap")
    plot = visitor.locator(".js-plotly-plot").nth(1)
    expect(plot.locator(".barlayer .point")).not_to_have_count(0, timeout=120 * SECOND)
    layer = visitor.get_by_role("combobox", name=re.compile("Layer"))
    settled()
    # A cell of a heatmap, half way down the model.
    depth = visitor.locator(".js-plotly-plot").first.locator(".nsewdrag").first
    depth.scroll_into_view_if_needed()
    place = depth.bounding_box()
    visitor.mouse.click(place["x"] + place["width"] * 15.5 / 30, place["y"] + place["height"] / 2)
    expect(layer).to_have_value("15", timeout=60 * SECOND)
    settled()
    bars = plot.locator(".nsewdrag").first
    bars.scroll_into_view_if_needed()
    place = bars.bounding_box()
    # The bottom of the bar of layer 27 of 30, on an axis from -0.6 to 29.6.
    visitor.mouse.click(place["x"] + place["width"] * 27.6 / 30.2, place["y"] + place["height"] - 12)
    expect(layer).to_have_value("27", timeout=60 * SECOND)
    expect(plot.locator(".shapelayer path")).to_have_count(1, timeout=60 * SECOND)
    screenshot("overlap")
    visitor.get_by_role("button", name="On the map").click()
    expect(visitor.get_by_role("heading", name="Neurons", exact=True)).to_be_visible(timeout=60 * SECOND)
    visitor.wait_for_url(re.compile("neuron=27"), timeout=60 * SECOND)
    assert "neuron=27:" in unquote(visitor.url)
    assert visitor.locator(".stException").count() == 0
