"""Two dashboards on one workspace: each sees what the other started, waits for it and can cancel it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from safeneuron.runs import launcher, store
from safeneuron.runs.deleting import delete_run
from tests.browser.conftest import Server

SECOND = 1000
PATIENCE = 240 * SECOND


@pytest.fixture
def second_dashboard(session_home: Path) -> Iterator[str]:
    """The address of another dashboard on the session's workspace, with a server of its own."""
    server = Server(session_home)
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def runs_go(session_home: Path) -> Iterator[None]:
    """Cancel and delete what runs a test has added."""
    before = {info.id for info in store.list_runs()}
    yield
    added = [info.id for info in store.list_runs() if info.id not in before]
    for run_id in added:
        launcher.cancel(run_id)
    for run_id in added:
        launcher.wait(run_id, interval=0.2)
        delete_run(run_id)


def test_two_dashboards_share_one_workspace(
    visitor: Page, dashboard: str, second_dashboard: str, runs_go, screenshot
) -> None:
    other = visitor.context.browser.new_page(viewport={"width": 1440, "height": 1000})
    first = _start(visitor, dashboard)
    second = _start(other, second_dashboard, "A new run waits for its turn")
    waits = re.compile(rf"Waiting for .* \({first[:8]}\)")
    expect(other.get_by_text(waits).first).to_be_visible(timeout=PATIENCE)

    # The newest is shown at first: here the other's.
    visitor.reload()
    expect(visitor.get_by_text(waits).first).to_be_visible(timeout=PATIENCE)
    screenshot("two-dashboards")
    visitor.get_by_role("button", name="Cancel run").click()
    expect(other.get_by_text("Cancelled by request").first).to_be_visible(timeout=PATIENCE)
    assert store.get_run(second).status == "cancelled"
    assert store.get_run(first).active

    # Chosen by a click, the first stays chosen when the other dashboard's next run comes on top of it.
    table = visitor.locator("[data-testid=stDataFrame]").first.bounding_box()
    visitor.mouse.click(table["x"] + 17, table["y"] + 36 + 35 + 17)
    doing = visitor.get_by_text(re.compile(r"\d+% of the whole run"))
    expect(doing).to_be_visible(timeout=PATIENCE)
    _start(other, second_dashboard, "A new run waits for its turn")
    visitor.get_by_text("A new run", exact=True).click()
    # Whatever a person touches draws the page anew, and with it the table.
    steps = visitor.get_by_role("spinbutton", name="Optimiser steps")
    steps.fill("400")
    steps.press("Enter")
    expect(visitor.get_by_text(re.compile("and 1 more behind it"))).to_be_visible(timeout=PATIENCE)
    expect(doing).to_be_visible()
    expect(visitor.get_by_text(waits)).to_have_count(0)
    screenshot("two-dashboards-own-choice")

    for page in (visitor, other):
        assert page.locator(".stException").count() == 0
    other.close()


def _start(page: Page, address: str, note: str = "") -> str:
    """Start a long run on a dashboard's Training page, where a note may be due, and return its id."""
    before = {info.id for info in store.list_runs()}
    page.goto(f"{address}/training")
    steps = page.get_by_role("spinbutton", name="Optimiser steps")
    # Folded where there are runs, whose table is then drawn below.
    folded = page.get_by_text("Runs", exact=True).or_(page.get_by_text("No run yet."))
    expect(folded.first).to_be_visible(timeout=PATIENCE)
    if not steps.is_visible():
        page.get_by_text("A new run", exact=True).click(timeout=PATIENCE)
    steps.fill("500")
    steps.press("Enter")
    if note:
        expect(page.get_by_text(re.compile(note))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Start the run").click(timeout=PATIENCE)
    for _ in range(PATIENCE // SECOND):
        added = {info.id for info in store.list_runs()} - before
        if added:
            return added.pop()
        page.wait_for_timeout(SECOND)
    raise AssertionError("the run was not started")
