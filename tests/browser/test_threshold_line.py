"""The threshold as a line in the histogram, dragged in a browser."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

SECOND = 1000


def test_the_line_in_the_histogram_moves_the_threshold(visitor: Page, dashboard: str) -> None:
    visitor.goto(dashboard)
    line = visitor.locator(".st-key-score_histogram_area .shapelayer path").first
    expect(line).to_be_attached(timeout=120 * SECOND)
    # The chart is drawn once more when it learns its width; its container stays.
    visitor.wait_for_timeout(3 * SECOND)
    visitor.locator(".st-key-score_histogram_area").scroll_into_view_if_needed()
    visitor.wait_for_timeout(2 * SECOND)
    box = line.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visitor.mouse.move(x, y)
    visitor.mouse.down()
    visitor.mouse.move(x - 15, y, steps=5)
    visitor.mouse.up()
    visitor.wait_for_function("new URL(location.href).searchParams.has('tau_SAS')", timeout=60 * SECOND)
    moved = float(parse_qs(urlsplit(visitor.url).query)["tau_SAS"][0])
    assert 1.0 < moved < 6.0
    expect(visitor.get_by_text(re.compile(f"neurons have SAS above τ = {moved:.1f}"))).to_be_visible()
    slider = visitor.get_by_role("slider", name=re.compile("τ of SAS"))
    expect(slider).to_have_value(f"{moved:g}")


def test_quick_moves_hold_and_go_along_to_the_page_where_one_began(visitor: Page, dashboard: str, settled) -> None:
    """The menu of presets, which is told of each move, must not take them back."""
    visitor.goto(f"{dashboard}/overlap")
    neurons, overlap = (visitor.get_by_role("link", name=name, exact=True) for name in ("Neurons", "Overlap"))
    expect(neurons).to_be_visible(timeout=120 * SECOND)
    settled()
    neurons.click()
    slider = visitor.get_by_role("slider", name=re.compile("τ of ES"))
    expect(slider).to_have_value("2", timeout=120 * SECOND)
    settled()
    slider.focus()
    for _ in range(4):
        visitor.keyboard.press("ArrowRight")
        visitor.wait_for_timeout(100)
    visitor.wait_for_url(re.compile("tau_ES=2.4"), timeout=60 * SECOND)
    settled()
    expect(slider).to_have_value("2.4")
    overlap.click()
    expect(visitor.get_by_role("heading", name="Overlap", exact=True)).to_be_visible(timeout=60 * SECOND)
    settled()
    assert "tau_ES=2.4" in visitor.url
