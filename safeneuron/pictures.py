"""A figure as a file: a page of its own with everything in it, or a picture that an installed browser takes of one.

Plotly's own way to pictures needs a package and a browser; the browser alone does as well.
"""

import shutil
import subprocess
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.plots.figure import Figure
from safeneuron.workspace import clear_disk_errors, replacing, scratch_folder

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=2",
    # So that the picture is taken once the chart is drawn, however slow the machine is.
    "--virtual-time-budget=20000",
)
WIDTH = 1000
HEADING = 64
"""Pixels above the chart, with a title of one line."""
LINE, LINE_HEIGHT = 88, 24
"""Characters of the title that have room in a line, and its pixels."""
BROWSER_SECONDS = 120


def write_picture(figure: Figure, path: Path, dark: bool = False) -> None:
    """Write a figure with its title to an ``.html`` or a ``.png`` file.

    Raises
    ------
    UserError
        When the file's name has another ending, there is no browser to take a picture with, or it takes none.
    """
    ending = path.suffix.lower()
    if ending not in (".html", ".png"):
        raise UserError(f"{path.name} has no known ending; name it .html or .png.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}; make it, or give another path.")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if ending == ".png" and browser is None:
        raise UserError(
            "There is no Chromium or Chrome here to take a picture with; install one, or write a .html file and open "
            "it in any browser."
        )
    page = _page(figure, dark, tools=ending == ".html")
    if ending == ".html":
        with replacing(path) as staging:
            staging.write_text(page, encoding="utf-8")
        return
    with scratch_folder(path.absolute()) as folder, clear_disk_errors(path):
        (folder / "figure.html").write_text(page, encoding="utf-8")
        lines = -(-len(figure.title) // LINE)
        _photograph(browser, folder, figure.plotly.layout.height + HEADING + LINE_HEIGHT * (lines - 1))
        (folder / "figure.png").replace(path)


def _photograph(browser: str, folder: Path, height: int) -> None:
    taken = folder / "figure.png"
    # A profile of its own, so that a browser that is open already does not take the call.
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={WIDTH},{height}"]
    command += [f"--screenshot={taken}", (folder / "figure.html").as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=BROWSER_SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(f"{browser} took longer than {BROWSER_SECONDS} s; try again, or write a .html file.") from None
    if not taken.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(f"{browser} took no picture ({said[-1] if said else 'it said nothing'}); write a .html file.")


def _page(figure: Figure, dark: bool, tools: bool) -> str:
    """Return a page that needs nothing from the network."""
    import plotly.graph_objects as go

    ink, paper = ("#fafafa", "#0e1117") if dark else ("#31333f", "#ffffff")
    chart = go.Figure(figure.plotly)
    chart.update_layout(font={"color": ink, "family": "sans-serif"}, template="plotly_dark" if dark else "plotly_white")
    chart.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    inner = chart.to_html(
        full_html=False, include_plotlyjs=True, config={"displaylogo": False, "displayModeBar": tools}
    )
    style = f"body {{ margin: 0; padding: 0 8px; background: {paper}; color: {ink}; font-family: sans-serif; }}"
    style += "h1 { font-size: 20px; margin: 16px 8px; }"
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{figure.title}</title><style>{style}</style></head>'
        f"<body><h1>{figure.title}</h1>{inner}</body></html>"
    )
