"""``score``, ``ablate`` and ``evaluate``: the numbers of the Neurons, Ablation and Robustness pages."""

from pathlib import Path
from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    Benign,
    Column,
    Harmful,
    Json,
    Judge,
    Limit,
    Model,
    TauES,
    TauSAS,
    Tokens,
    opened,
    prompts_from,
    thresholds,
)
from safeneuron.models.catalogue import DEFAULT_MODEL


def score(
    model: Model = DEFAULT_MODEL,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the scores (parquet) and the sets (JSON).")] = None,
    json: Json = False,
) -> None:
    """Score every neuron and select the safety neurons."""
    from safeneuron.scoring import score_table, write_scores

    with terminal.command() as progress:
        loaded = opened(model, progress)
        table = score_table(loaded, prompts_from(harmful, column), prompts_from(benign, column), pooling, progress)
        sets = table.select(thresholds(tau_es, tau_sas))
        if out:
            write_scores(table, sets, out)
    result = {
        "model": model,
        "n_harmful": table.harmful.count,
        "n_benign": table.benign.count,
        "pooling": pooling,
        "thresholds": thresholds(tau_es, tau_sas),
        "sets": {
            name: {"count": len(found), "share": found.share, "per_layer": found.per_layer()}
            for name, found in sets.items()
        },
    }
    rows = [{"set": name, "neurons": len(found), "share of all": found.share} for name, found in sets.items()]
    terminal.show(result, json, terminal.table(rows, ["set", "neurons", "share of all"]))


def ablate(
    prompts: Annotated[Path, typer.Option(help="Prompt file (JSONL, JSON, CSV, TXT).")],
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[
        str, typer.Option("--set", help="ORI, ES, SAS, FULL, RANDOM, a .json set, or neurons such as 15:766,15:801.")
    ] = "FULL",
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed of RANDOM.")] = 0,
    json: Json = False,
) -> None:
    """Answer prompts with a neuron set switched off, and judge the answers."""
    from safeneuron.evaluation import answers_under
    from safeneuron.models.catalogue import ancestors
    from safeneuron.scoring import score_table
    from safeneuron.selection import named_set

    with terminal.command() as progress:
        chosen = prompts_from(prompts, column, limit)
        loaded = opened(model, progress)
        table = score_table(loaded, progress=progress)
        neurons = named_set(set_name, table, thresholds(tau_es, tau_sas), seed, ancestors(loaded.card))
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


def evaluate(
    model: Model = DEFAULT_MODEL,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    random_draws: Annotated[int, typer.Option(min=1, help="Random sets that RANDOM is the mean of.")] = 1,
    max_new_tokens: Tokens = 64,
    json: Json = False,
) -> None:
    """Print the ORI / ES / SAS / FULL / RANDOM table of a model."""
    from safeneuron.evaluation import evaluate_once
    from safeneuron.robustness import EvaluationSettings
    from safeneuron.scoring import score_table, test_prompts

    with terminal.command() as progress:
        own_harmful, own_benign = test_prompts()
        prompts = [
            (prompts_from(harmful, column) or own_harmful).head(limit),
            (prompts_from(benign, column) or own_benign).head(limit),
        ]
        settings = EvaluationSettings(judge, random_draws, max_new_tokens)
        loaded = opened(model, progress)
        sets = score_table(loaded, progress=progress).select(thresholds(tau_es, tau_sas))
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
