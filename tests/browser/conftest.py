"""A running dashboard and a headless Chromium to visit it with."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Server:
    """A dashboard that can be killed and started again at the same address.

    Parameters
    ----------
    home : Path
        Its workspace.
    """

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._home = home
        self._log = home / "dashboard.log"
        self.address = f"http://localhost:{self._port}"

    def start(self) -> None:
        """Start it as README says, and wait until it answers."""
        environment = os.environ | {"SAFENEURON_HOME": str(self._home)}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self._port)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        for _ in range(240):
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.5)
        raise AssertionError(f"the dashboard did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it without a warning, as a crash or a restart of the machine does."""
        self._process.kill()
        self._process.wait(timeout=30)

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        self._process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(session_home: Path) -> Iterator[Server]:
    """A running dashboard on the session's workspace."""
    found = Server(session_home)
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def dashboard(server: Server) -> str:
    """The address of a dashboard on the session's workspace."""
    return server.address


@pytest.fixture
def visitor(dashboard: str):
    """A browser window of 1440 × 1000 pixels, on no page yet."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and in CI the browser tests must run")
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=CHROMIUM_FLAGS)
        window = browser.new_page(viewport={"width": 1440, "height": 1000})
        yield window
        browser.close()


@pytest.fixture
def settled(visitor):
    """Return a function that waits until no script runs: until then a figure may be drawn anew under the pointer."""

    def wait(quiet: float = 1.5, limit: float = 120.0) -> None:
        end, since = time.monotonic() + limit, time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < end, f"a script still runs after {limit:g} s"
            if visitor.locator("[data-test-script-state=running]").count():
                since = time.monotonic()
            visitor.wait_for_timeout(100)

    return wait


@pytest.fixture
def screenshot(visitor, tmp_path: Path):
    """Return a function that keeps a picture of the page, in CI where its output is kept."""
    folder = Path(os.environ.get("SAFENEURON_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        visitor.wait_for_timeout(500)
        visitor.screenshot(path=folder / f"{name}.png", full_page=True)

    return take
