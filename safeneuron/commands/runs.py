"""``train`` and ``runs``: masked DPO in the background, and what came of it."""

from pathlib import Path
from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json, Model, TauES, TauSAS, thresholds
from safeneuron.models.catalogue import DEFAULT_MODEL

Run = Annotated[str, typer.Argument(help="A run's id, or the first digits of it.")]

runs_app = typer.Typer(invoke_without_command=True, help="List, show and cancel background runs.")


def train(
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[
        str, typer.Option("--set", help="Set to freeze: ES, SAS, FULL, RANDOM, ORI (none), a .json set, or neurons.")
    ] = "FULL",
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="JSONL with prompt, chosen, rejected; built from the built-in prompts by default."
        ),
    ] = None,
    max_steps: Annotated[int, typer.Option("--max-steps", help="Optimiser steps.")] = 48,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Pairs in a step.")] = 8,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Peak of the cosine schedule.")] = 1e-5,
    forward_zeroing: Annotated[
        bool, typer.Option(help="Zero the set's activations in the policy's forward pass.")
    ] = True,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Orders the pairs.")] = 0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the run has ended; otherwise it goes on in the background.")
    ] = False,
    json: Json = False,
) -> None:
    """Start masked DPO as a background run."""
    from safeneuron.prompts.pairs import load_pairs
    from safeneuron.runs.launcher import wait as wait_for
    from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
    from safeneuron.training.start import start_training

    with terminal.command() as progress:
        dpo = MaskedDPOSettings(
            max_steps=max_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            forward_zeroing=forward_zeroing,
            seed=seed,
        )
        settings = TrainingSettings(dpo=dpo, thresholds=thresholds(tau_es, tau_sas))
        run = start_training(model, set_name, settings, load_pairs(pairs) if pairs else None)
        typer.echo(f"Run {run} has started.", err=True)
        if wait:
            try:
                wait_for(run, lambda info: progress(info.phase or "Waiting for the run to start", info.progress))
            except KeyboardInterrupt:
                progress.close()
                cancel = f"python -m safeneuron runs cancel {run[:8]}"
                typer.echo(f"No longer waiting; the run goes on. To stop it: {cancel}", err=True)
                raise typer.Exit(130) from None
    _show_run(run, json)


@runs_app.callback()
def runs(context: typer.Context, json: Json = False) -> None:
    """List, show and cancel background runs; without a command, list them."""
    if context.invoked_subcommand is None:
        runs_list(json)


@runs_app.command("list")
def runs_list(json: Json = False) -> None:
    """List the runs, newest first."""
    from safeneuron.runs.store import list_runs

    with terminal.command():
        rows = [
            {"run": info.id, "name": info.name, "status": info.status, "phase": info.phase, "progress": info.progress}
            for info in list_runs()
        ]
    terminal.show({"runs": rows}, json, terminal.table(rows, ["run", "name", "status", "phase", "progress"]))


@runs_app.command("show")
def runs_show(run: Run, json: Json = False) -> None:
    """Show a run: where it stands, its frozen neurons, and its tables before and after."""
    _show_run(run, json)


@runs_app.command("cancel")
def runs_cancel(run: Run, json: Json = False) -> None:
    """Ask a run to stop at its next step; what it has written stays."""
    from safeneuron.runs.launcher import cancel

    with terminal.command():
        info = cancel(run)
    terminal.show(
        {"run": info.id, "status": info.status},
        json,
        f"{info.id} was asked to stop." if info.active else f"{info.id} had ended already: {info.status}.",
    )


def _show_run(run: str, json: bool) -> None:
    from safeneuron.training.summary import run_summary

    with terminal.command():
        result = run_summary(run)
    columns = ["table", "condition", "neurons", "n", "refusal_rate", "interval", "judge", "benign_refusal_rate"]
    rows = [{"table": name} | row for name, rows in result["tables"].items() for row in rows]
    facts = [
        f"{key}: {result[key]}"
        for key in ("run", "name", "status", "phase", "message", "model", "frozen")
        if result[key]
    ]
    terminal.show(result, json, "\n".join([*facts, *(["", terminal.table(rows, columns)] if rows else [])]))
    raise typer.Exit(1 if result["status"] == "failed" else 0)
