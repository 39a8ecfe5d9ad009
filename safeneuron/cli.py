"""The command line: the same functions as the pages, and every number that they show."""

from pathlib import Path
from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.models.catalogue import DEFAULT_MODEL, catalogue, model_card, open_model
from safeneuron.progress import Progress

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Find, switch off and freeze the safety neurons of language models.",
)
models_app = typer.Typer(no_args_is_help=True, help="List, prepare and check models.")
runs_app = typer.Typer(invoke_without_command=True, help="List, show and cancel background runs.")
app.add_typer(models_app, name="models")
app.add_typer(runs_app, name="runs")

Model = Annotated[str, typer.Option("--model", help="An embedded model, run:ID, or the path of a model folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Column = Annotated[
    str | None, typer.Option("--column", help="Where the prompts are, if not in a column with a usual name.")
]
Harmful = Annotated[
    Path | None, typer.Option("--harmful", help="Prompt file (JSONL, JSON, CSV, TXT); the built-in prompts by default.")
]
Benign = Annotated[
    Path | None, typer.Option("--benign", help="Prompt file (JSONL, JSON, CSV, TXT); the built-in prompts by default.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Use the first so many prompts of each file.")]
TauES = Annotated[float, typer.Option("--tau-es", help="Threshold of ES.")]
TauSAS = Annotated[float, typer.Option("--tau-sas", help="Threshold of SAS.")]
Run = Annotated[str, typer.Argument(help="A run's id, or the first digits of it.")]
Judge = Annotated[str, typer.Option("--judge", help="Which judge tells refusals from answers.")]
Tokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Length of the answers.")]


@models_app.command("list")
def models_list(json: Json = False) -> None:
    """List the models that can be opened by name."""
    with terminal.command():
        rows = [
            {
                "model": card.source,
                "layers": card.n_layers,
                "neurons per layer": card.d_mlp,
                "ready": card.ready,
                "origin": card.origin,
            }
            for card in catalogue()
        ]
    terminal.show(
        {"models": rows}, json, terminal.table(rows, ["model", "layers", "neurons per layer", "ready", "origin"])
    )


@models_app.command("prepare")
def models_prepare(
    model: Annotated[str, typer.Argument(help="Which model.")] = DEFAULT_MODEL, json: Json = False
) -> None:
    """Fetch and convert a model, so that it opens at once, then check it."""
    with terminal.command() as progress:
        result = _checked(_open(model, progress))
    terminal.show(result, json, _check_text(result))


@models_app.command("check")
def models_check(
    model: Annotated[str, typer.Argument(help="Which model.")] = DEFAULT_MODEL, json: Json = False
) -> None:
    """Compare hook ablation, zeroed columns and TransformerBridge on a model; exit 1 if they differ."""
    with terminal.command() as progress:
        result = _checked(_open(model, progress))
    terminal.show(result, json, _check_text(result))
    raise typer.Exit(0 if result["passed"] else 1)


@models_app.command("measure")
def models_measure(
    advbench: Annotated[Path, typer.Option(help="AdvBench prompts; the first 128 are used.")],
    malicious_instruct: Annotated[Path, typer.Option(help="MaliciousInstruct prompts; all are used.")],
    alpaca: Annotated[Path, typer.Option(help="Alpaca prompts; the first 128 are used.")],
    model: Model = DEFAULT_MODEL,
    draws: Annotated[int, typer.Option(min=1, help="Random sets that RANDOM is the mean of.")] = 5,
    json: Json = False,
) -> None:
    """Measure what the default model must show and print it beside its targets."""
    from safeneuron.measure import HeldOut, measure
    from safeneuron.prompts.promptset import load_prompts

    with terminal.command() as progress:
        held_out = HeldOut(
            load_prompts(advbench).head(128), load_prompts(malicious_instruct), load_prompts(alpaca).head(128)
        )
        rows = measure(_open(model, progress), held_out, draws, progress)
    terminal.show(
        {"model": model, "rows": rows},
        json,
        terminal.table(rows, ["measured", "value", "interval", "n", "judge", "target", "met"]),
    )


@app.command()
def align(
    out: Annotated[Path, typer.Option(help="Folder for the adapter; it must not exist yet.")],
    seed: Annotated[int, typer.Option(help="Seed of the order, the refusals and the adapter.")] = 0,
    json: Json = False,
) -> None:
    """Train the default model's safety adapter again, from the built-in prompts."""
    from safeneuron.errors import UserError
    from safeneuron.models.sources.embedded import SOURCE
    from safeneuron.training.align import AlignSettings, train_adapter, training_rows

    with terminal.command() as progress:
        if out.exists():
            raise UserError(f"{out} exists already; name a folder that does not.")
        settings = AlignSettings(seed=seed)
        base = _open(SOURCE.base, progress)
        result = train_adapter(base, training_rows(base, settings, progress), out, settings, progress)
    terminal.show(
        result | {"adapter": str(out)},
        json,
        f"{result['examples']} examples, {result['steps']} steps, loss {result['loss']:.3f}; "
        f"adapter in {out} ({result['bytes']:,} bytes)",
    )


@app.command()
def score(
    model: Model = DEFAULT_MODEL,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    tau_es: TauES = 3.0,
    tau_sas: TauSAS = 3.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the scores (parquet) and the sets (JSON).")] = None,
    json: Json = False,
) -> None:
    """Score every neuron and select the safety neurons."""
    from safeneuron.scoring import score_table, write_scores

    with terminal.command() as progress:
        loaded = _open(model, progress)
        table = score_table(loaded, _file(harmful, column), _file(benign, column), pooling, progress)
        sets = table.select({"ES": tau_es, "SAS": tau_sas})
        if out:
            write_scores(table, sets, out)
    result = {
        "model": model,
        "n_harmful": table.harmful.count,
        "n_benign": table.benign.count,
        "pooling": pooling,
        "thresholds": {"ES": tau_es, "SAS": tau_sas},
        "sets": {
            name: {"count": len(found), "share": found.share, "per_layer": found.per_layer()}
            for name, found in sets.items()
        },
    }
    rows = [{"set": name, "neurons": len(found), "share of all": found.share} for name, found in sets.items()]
    terminal.show(result, json, terminal.table(rows, ["set", "neurons", "share of all"]))


@app.command()
def ablate(
    prompts: Annotated[Path, typer.Option(help="Prompt file (JSONL, JSON, CSV, TXT).")],
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[
        str, typer.Option("--set", help="ORI, ES, SAS, FULL, RANDOM, a .json set, or neurons such as 15:766,15:801.")
    ] = "FULL",
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = 3.0,
    tau_sas: TauSAS = 3.0,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    seed: Annotated[int, typer.Option(help="Seed of RANDOM.")] = 0,
    json: Json = False,
) -> None:
    """Answer prompts with a neuron set switched off, and judge the answers."""
    from safeneuron.robustness import answers_under
    from safeneuron.scoring import score_table
    from safeneuron.selection import named_set

    with terminal.command() as progress:
        chosen = _file(prompts, column, limit)
        loaded = _open(model, progress)
        neurons = named_set(set_name, score_table(loaded, progress=progress), {"ES": tau_es, "SAS": tau_sas}, seed)
        rows, refusal = answers_under(loaded, neurons, chosen, judge, max_new_tokens, progress)
    result = {
        "model": model,
        "set": set_name,
        "count": len(neurons),
        "n": refusal.n,
        "refusal_rate": refusal.value,
        "interval": [refusal.low, refusal.high],
        "judge": refusal.judge,
        "rows": rows,
    }
    text = "\n".join(
        f"{'refused ' if row['refused'] else 'answered'}  {row['prompt']}\n          {row['answer']}" for row in rows
    )
    terminal.show(result, json, f"{text}\n\n{set_name}, {len(neurons)} neurons off: refusal rate {refusal}")


@app.command()
def evaluate(
    model: Model = DEFAULT_MODEL,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = 3.0,
    tau_sas: TauSAS = 3.0,
    judge: Judge = "arditi",
    random_draws: Annotated[int, typer.Option(min=1, help="Random sets that RANDOM is the mean of.")] = 1,
    max_new_tokens: Tokens = 64,
    json: Json = False,
) -> None:
    """Print the ORI / ES / SAS / FULL / RANDOM table of a model."""
    from safeneuron.robustness import EvaluationSettings, evaluate_once
    from safeneuron.scoring import score_table, test_prompts

    with terminal.command() as progress:
        own_harmful, own_benign = test_prompts()
        prompts = [
            (_file(harmful, column) or own_harmful).head(limit),
            (_file(benign, column) or own_benign).head(limit),
        ]
        settings = EvaluationSettings(judge, random_draws, max_new_tokens)
        loaded = _open(model, progress)
        sets = score_table(loaded, progress=progress).select({"ES": tau_es, "SAS": tau_sas})
        rows = evaluate_once(loaded, sets, *prompts, settings, progress).rows()
    columns = [
        "condition",
        "neurons",
        "n",
        "refusal_rate",
        "interval",
        "judge",
        "benign_n",
        "benign_refusal_rate",
        "benign_interval",
    ]
    terminal.show({"model": model, "rows": rows}, json, terminal.table(rows, columns))


@app.command()
def train(
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[str, typer.Option("--set", help="Set to freeze: ES, SAS, FULL, RANDOM, ORI (none), a .json set, or neurons.")] = "FULL",
    pairs: Annotated[Path | None, typer.Option("--pairs", help="JSONL with prompt, chosen, rejected; built from the built-in prompts by default.")] = None,
    max_steps: Annotated[int, typer.Option("--max-steps", help="Optimiser steps.")] = 48,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Pairs in a step.")] = 8,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Peak of the cosine schedule.")] = 1e-5,
    forward_zeroing: Annotated[bool, typer.Option(help="Zero the set's activations in the policy's forward pass.")] = True,
    tau_es: TauES = 3.0,
    tau_sas: TauSAS = 3.0,
    seed: Annotated[int, typer.Option("--seed", help="Orders the pairs.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended; otherwise it goes on in the background.")] = False,
    json: Json = False,
) -> None:
    """Start masked DPO as a background run."""
    from safeneuron.prompts.pairs import load_pairs
    from safeneuron.runs.launcher import wait as wait_for
    from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
    from safeneuron.training.start import start_training

    with terminal.command() as progress:
        dpo = MaskedDPOSettings(max_steps=max_steps, batch_size=batch_size, learning_rate=learning_rate, forward_zeroing=forward_zeroing, seed=seed)
        settings = TrainingSettings(dpo=dpo, thresholds={"ES": tau_es, "SAS": tau_sas})
        run = start_training(model, set_name, settings, load_pairs(pairs) if pairs else None)
        if wait:
            wait_for(run, lambda info: progress(info.phase or "Waiting for the run to start", info.progress))
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
        rows = [{"run": info.id, "name": info.name, "status": info.status, "phase": info.phase, "progress": info.progress} for info in list_runs()]
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
    terminal.show({"run": info.id, "status": info.status}, json, f"{info.id} was asked to stop." if info.active else f"{info.id} had ended already: {info.status}.")


@app.command()
def bench(model: Model = DEFAULT_MODEL, json: Json = False) -> None:
    """Measure the table 'What must be fast' of the design, each row as a ratio within one run."""
    from safeneuron.bench import run_benchmarks

    with terminal.command() as progress:
        rows = run_benchmarks(_open(model, progress), progress)
    terminal.show(
        {"model": model, "rows": rows}, json, terminal.table(rows, ["name", "ratio", "target", "met", "detail"])
    )


def _open(source: str, progress: Progress) -> Any:
    from safeneuron.compute import set_process_threads

    model_card(source)
    set_process_threads()
    return open_model(source, progress)


def _file(path: Path | None, column: str | None, limit: int | None = None) -> Any:
    from safeneuron.prompts.promptset import load_prompts

    return load_prompts(path, column).head(limit) if path else None


def _checked(loaded: Any) -> dict[str, Any]:
    from safeneuron.models.parity import check_parity
    from safeneuron.models.parity_report import TOLERANCES

    report = check_parity(loaded)
    checks = {name: {"difference": getattr(report, name), "tolerance": limit} for name, limit in TOLERANCES.items()}
    return {"model": loaded.card.source, "fingerprint": loaded.fingerprint, "passed": report.passed, "checks": checks}


def _check_text(result: dict[str, Any]) -> str:
    rows = [
        {
            "check": name.replace("_", " "),
            "difference": f"{check['difference']:.1e}",
            "tolerance": f"{check['tolerance']:.0e}",
        }
        for name, check in result["checks"].items()
    ]
    verdict = "passed" if result["passed"] else "FAILED: do not trust numbers of this model"
    return (
        terminal.table(rows, ["check", "difference", "tolerance"])
        + f"\n{result['model']} is ready; self-check {verdict}"
    )


def _show_run(run: str, json: bool) -> None:
    from safeneuron.training.summary import run_summary

    with terminal.command():
        result = run_summary(run)
    columns = ["table", "condition", "neurons", "n", "refusal_rate", "interval", "judge", "benign_refusal_rate"]
    rows = [{"table": name} | row for name, rows in result["tables"].items() for row in rows]
    facts = [f"{key}: {result[key]}" for key in ("run", "name", "status", "phase", "message", "model", "frozen") if result[key]]
    terminal.show(result, json, "\n".join([*facts, *(["", terminal.table(rows, columns)] if rows else [])]))
    raise typer.Exit(1 if result["status"] == "failed" else 0)
