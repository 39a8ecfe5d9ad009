"""The neuron card in a browser: from a link to the next neuron, and from it to the Ablation page."""

import re
from urllib.parse import unquote

from playwright.sync_api import Page, expect

SECOND = 1000


def test_a_link_opens_a_card_that_leads_on(visitor: Page, dashboard: str, screenshot) -> None:
    visitor.goto(f"{dashboard}/?neuron=24:952")
    card = visitor.locator(".st-key-neuron_card")
    expect(card.get_by_text("1 of 46,080")).to_be_visible(timeout=120 * SECOND)
    expect(card.get_by_role("button", name=re.compile("Examine 24:952"))).to_be_visible(timeout=60 * SECOND)
    screenshot("card-from-a-link")
    card.get_by_role("button", name="Next", exact=True).click()
    expect(card.get_by_text("2 of 46,080")).to_be_visible(timeout=60 * SECOND)
    chosen = re.search(r"neuron=(\d+:\d+)", unquote(visitor.url))
    assert chosen and chosen[1] != "24:952"
    card.get_by_role("button", name=re.compile("Switch off this neuron alone")).click()
    expect(visitor.get_by_role("heading", name="Ablation", exact=True)).to_be_visible(timeout=60 * SECOND)
    expect(visitor.get_by_text("Set in hand: own set")).to_be_visible(timeout=60 * SECOND)
    assert f"changes={chosen[1]}" in unquote(visitor.url)
    assert visitor.locator(".stException").count() == 0
