"""``runs``: what goes on in the background, and what came of it."""

from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json

Run = Annotated[str, typer.Argument(help="A run's id, or the first digits of it.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Stay until the run has ended; otherwise it goes on in the background.")
]

CURVE_ROWS = 12
CURVE_COLUMNS = ["step", "loss", "rewards/margins", "rewards/accuracies"]
TABLE_COLUMNS = [
    "table",
    "condition",
    "neurons",
    "n",
    "refusal_rate",
    "interval",
    "judge",
    "benign_n",
    "benign_refusal_rate",
    "benign_interval",
    "twin_n",
    "twin_refusal_rate",
    "twin_interval",
]
ROUND_COLUMNS = ["round", "model", "frozen", "max_abs_diff", "n", "judge", "ORI", "ORI interval"]
ROUND_COLUMNS += ["FULL static", "FULL static interval", "FULL adaptive", "FULL adaptive interval"]
"""What people read of a run; ``--json`` has everything."""

runs_app = typer.Typer(
    invoke_without_command=True, help="List, show, compare, cancel, resume and delete background runs."
)


@runs_app.callback()
def runs(context: typer.Context, json: Json = False) -> None:
    """List, show, compare, cancel, resume and delete background runs; without a command, list them."""
    if context.invoked_subcommand is None:
        runs_list(json)


@runs_app.command("list")
def runs_list(json: Json = False) -> None:
    """List the runs, newest first, with what each does, or for which one it waits."""
    from safeneuron.runs.store import list_runs

    with terminal.command():
        rows = [
            {
                "run": info.id,
                "kind": info.kind,
                "name": info.name,
                "status": info.status,
                "phase": info.phase,
                "step": info.step,
                "progress": info.progress,
            }
            for info in list_runs()
        ]
    terminal.show({"runs": rows}, json, terminal.table(rows, ["run", "name", "status", "phase", "step", "progress"]))


@runs_app.command("show")
def runs_show(run: Run, json: Json = False) -> None:
    """Show a run: where it stands, its curves, its frozen neurons, and its tables before and after."""
    show_run(run, json)


@runs_app.command("resume")
def runs_resume(run: Run, wait: Wait = False, json: Json = False) -> None:
    """Go on with a run that was cancelled, failed or died, from its last checkpoint."""
    from safeneuron.runs.resuming import resume

    with terminal.command() as progress:
        resumed = resume(run).id
        typer.echo(f"Run {resumed} goes on.", err=True)
        if wait:
            wait_for(resumed, progress)
    show_run(resumed, json)


@runs_app.command("cancel")
def runs_cancel(run: Run, json: Json = False) -> None:
    """Ask a run to stop after its next step; in training it writes a checkpoint first."""
    from safeneuron.runs.launcher import cancel

    with terminal.command():
        info = cancel(run)
    terminal.show(
        {"run": info.id, "status": info.status},
        json,
        f"{info.id} was asked to stop." if info.active else f"{info.id} had ended already: {info.status}.",
    )


@runs_app.command("rename")
def runs_rename(run: Run, name: Annotated[str, typer.Argument(help="Its new name.")], json: Json = False) -> None:
    """Give a run another name."""
    from safeneuron.runs.renaming import rename

    with terminal.command():
        info = rename(run, name)
    terminal.show({"run": info.id, "name": info.name}, json, f"{info.id} is now called {info.name}.")


@runs_app.command("delete")
def runs_delete(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete a run with its model, tables and curves, for good; a run that is at work has to be cancelled first."""
    from safeneuron.runs.deleting import delete_run, deletion_of

    with terminal.command():
        question = deletion_of(run).question
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)
    with terminal.command():
        gone = delete_run(run)
    result = {"run": gone.run.id, "bytes": gone.size, "heirs": gone.heirs, "stranded": gone.stranded}
    terminal.show(result, json, f"{gone.run.id} is deleted.")


@runs_app.command("compare")
def runs_compare(
    run: Annotated[list[str], typer.Argument(help="Two ids or more, or the first digits of them.")], json: Json = False
) -> None:
    """Show runs beside each other: the settings in which they differ, and their refusal rates."""
    from safeneuron.training.comparing import COLUMNS, run_comparison

    with terminal.command():
        found = run_comparison(run)
    names = [row["run"][:8] for row in found["runs"]]
    parts = [terminal.table(found["runs"], ["run", "name", "status"])]
    if found["settings"]:
        parts.append(terminal.table(found["settings"], ["setting", *names]))
    else:
        parts.append("They have the same settings.")
    if found["rates"]:
        parts.append(terminal.table(found["rates"], list(COLUMNS)))
    terminal.show(found, json, "\n\n".join(parts))


@runs_app.command("send")
def runs_send(run: Run, json: Json = False) -> None:
    """Send a run to the team's tracking server as far as that missed it (MLFLOW_TRACKING_URI)."""
    from safeneuron.runs.sending import send

    with terminal.command():
        sent = send(run)
    terminal.show({"run": run, "sent": sent}, json, f"Sent {sent}.")


def wait_for(run: str, progress: terminal.ProgressLine) -> None:
    """Show a run's progress until it has ended; an interruption leaves the run alone."""
    from safeneuron.runs.launcher import wait

    try:
        wait(run, lambda info: progress(info.phase or info.step or "Waiting for the run to start", info.progress))
    except KeyboardInterrupt:
        progress.close()
        cancel = f"python -m safeneuron runs cancel {run[:8]}"
        typer.echo(f"No longer waiting; the run goes on. To stop it: {cancel}", err=True)
        raise typer.Exit(130) from None


def show_run(run: str, json: bool) -> None:
    """Print a run: where it stands, its curves and tables; the exit status is 1 when it has failed."""
    from safeneuron.training.summary import run_curves, run_summary

    with terminal.command():
        result = run_summary(run)
        result["curves"] = run_curves(result["run"])
    terminal.show(result, json, _run_text(result))
    raise typer.Exit(1 if result["status"] == "failed" else 0)


def _run_text(result: dict[str, Any]) -> str:
    keys = (
        "run",
        "name",
        "status",
        "phase",
        "message",
        "unsent",
        "resume",
        "model",
        "set",
        "pairs left out",
        "frozen",
        "counts",
        "curve",
        "not compared",
    )
    parts = ["\n".join(f"{key}: {result[key]}" for key in keys if result[key])]
    if result["log"]:
        parts.append("last lines of its log:\n" + "\n".join(f"  {line}" for line in result["log"]))
    if result["curves"]:
        shown = _evenly(result["curves"], CURVE_ROWS)
        left_out = len(result["curves"]) - len(shown)
        note = f"\n({left_out} more steps, and more curves, with --json)" if left_out else ""
        parts.append(terminal.table(shown, CURVE_COLUMNS) + note)
    if len(result["rounds"]) > 1:
        parts.append(terminal.table(result["rounds"], ROUND_COLUMNS))
    rows = [{"table": name} | row for name, rows in result["tables"].items() for row in rows]
    if rows:
        parts.append(terminal.table(rows, [column for column in TABLE_COLUMNS if column in rows[0]]))
    return "\n\n".join(parts)


def _evenly(rows: list[dict[str, float]], count: int) -> list[dict[str, float]]:
    """Return at most so many rows, the first and the last among them."""
    if len(rows) <= count:
        return rows
    return [rows[round(number * (len(rows) - 1) / (count - 1))] for number in range(count)]
