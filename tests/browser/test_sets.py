"""Neuron sets as a person makes them: kept, found again on another page, out to a file and in again, deleted."""

import json
from pathlib import Path
from urllib.parse import unquote_plus

from playwright.sync_api import Page, expect

SECOND = 1000


def test_a_set_is_kept_used_downloaded_uploaded_and_deleted(
    visitor: Page, dashboard: str, screenshot, tmp_path: Path
) -> None:
    visitor.set_default_timeout(60 * SECOND)
    visitor.goto(f"{dashboard}/?set=top(7, SAS)")
    _in_hand(visitor, "top(7, SAS)")
    # The click that also takes the text out of the field must count.
    visitor.get_by_placeholder("my set").fill("walked set")
    visitor.get_by_role("button", name="Keep", exact=True).click()
    _in_hand(visitor, "walked set")
    assert 'set="walked set"' in unquote_plus(visitor.url)

    visitor.get_by_role("link", name="Robustness").click()
    expect(visitor.get_by_text("A bar for the set in hand too: walked set, 7 neurons")).to_be_visible()
    visitor.get_by_role("combobox", name="Take another set in hand").click()
    visitor.get_by_role("option", name="ORI").click()
    _in_hand(visitor, "ORI")
    visitor.get_by_role("combobox", name="Take another set in hand").click()
    visitor.get_by_role("option", name="walked set").click()
    _in_hand(visitor, "walked set")

    visitor.get_by_role("link", name="Neurons").click()
    with visitor.expect_download() as download:
        visitor.get_by_role("button", name="JSON", exact=True).click()
    value = json.loads(Path(download.value.path()).read_text())
    assert (value["name"], len(value["neurons"])) == ("walked set", 7)
    assert value["origin"]["expression"] == "top(7, SAS)"

    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(value | {"name": "walked file", "model": "another"}))
    files = visitor.get_by_test_id("stExpander").filter(has_text="A set from a file (JSON)")
    files.get_by_text("A set from a file (JSON)").click()
    files.locator("input[type=file]").set_input_files(theirs)
    expect(visitor.get_by_text("was found on another model")).to_be_visible()
    screenshot("sets-1-refused")
    visitor.get_by_text("It may be of another model of the same shape").click()
    visitor.get_by_role("button", name="Keep and take in hand").click()
    _in_hand(visitor, "walked file")
    screenshot("sets-2-taken")

    _delete(visitor, "walked file")
    _in_hand(visitor, "FULL")
    visitor.goto(f'{dashboard}/?set="walked set"')
    _in_hand(visitor, "walked set")
    visitor.get_by_role("button", name="Take in hand", exact=True).wait_for()
    _delete(visitor, "walked set")
    _in_hand(visitor, "FULL")
    assert visitor.locator(".stException").count() == 0


def _in_hand(visitor: Page, name: str) -> None:
    expect(visitor.get_by_text(f"Set in hand: {name}", exact=True)).to_be_visible(timeout=60 * SECOND)


def _delete(visitor: Page, name: str) -> None:
    """Delete the set that the menu of kept sets shows, which must be this one."""
    menu = visitor.get_by_role("combobox", name="Kept sets")
    expect(menu).to_have_value(f"{name} · 7 neurons", timeout=60 * SECOND)
    visitor.get_by_role("button", name="Delete", exact=True).click()
    visitor.get_by_role("button", name="Delete it").click()
