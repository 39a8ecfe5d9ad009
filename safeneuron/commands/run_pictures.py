"""``runs picture``: what a run has changed, as a file for a paper or a lesson."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json
from safeneuron.commands.runs import Run


def runs_picture(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="A .html file, or a .png, which takes a Chromium or Chrome.")],
    what: Annotated[
        Literal["moved", "flow"],
        typer.Option(
            "--what",
            help="moved: where the safety neurons lie before and after, and what is refused without them. flow: which "
            "neurons stayed, joined and left the set in each round.",
        ),
    ] = "moved",
    dark: Annotated[bool, typer.Option("--dark", help="Light on dark.")] = False,
    json: Json = False,
) -> None:
    """Draw what a run has changed, as far as it has come, into a file; --json prints the numbers drawn too."""
    from safeneuron.pictures import write_picture
    from safeneuron.plots.moved import moved
    from safeneuron.plots.set_flow import set_flow_figure
    from safeneuron.runs.store import get_run
    from safeneuron.sets.flow import set_flow
    from safeneuron.training.stages import stages

    with terminal.command():
        info = get_run(run)
        found = stages(info.id)
        if what == "moved":
            figure = moved(found, info.name)
        else:
            figure = set_flow_figure(set_flow([one.found for one in found]), [one.title for one in found])
        write_picture(figure, out, dark)
    result = {"file": str(out), "title": figure.title, "about": figure.about, "rows": figure.data.to_dict("records")}
    terminal.show(result, json, f"Written to {out}: {figure.title}.")
