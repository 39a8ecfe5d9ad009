"""``ablate``: the numbers of the Ablation page, its refusal meter and its answers."""

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.ablation.specification import Ablation
from safeneuron.commands.options import (
    SET,
    Column,
    Factor,
    ForeignSet,
    Json,
    Judge,
    Kind,
    Limit,
    Model,
    Positions,
    Seed,
    TauES,
    TauSAS,
    Tokens,
    opened_ablated,
    prompts_from,
)
from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.progress import Progress
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import judge_named
from safeneuron.refusal.rates import APART

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


def ablate(
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[str, typer.Option("--set", help=f"Set to ablate: {SET}")] = "FULL",
    kind: Kind = "zero",
    factor: Factor = None,
    positions: Positions = "all",
    foreign: ForeignSet = False,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Prompt file (JSONL, JSON, CSV, TXT); the refusal meter's built-in panel by default."),
    ] = None,
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Answer prompts with a neuron set ablated, judge the answers, and print the refusal scores."""
    from safeneuron.prompts import builtin

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        given = prompts_from(prompts, column, limit)
        kinds = {"prompts": given} if given else dict(zip(("harmful", "benign"), builtin.panel(), strict=True))
        judge_named(judge)
        loaded, ablation = opened_ablated(
            model, set_name, foreign, tau_es, tau_sas, seed, kind, factor, positions, progress
        )
        found = {
            name: _answered(loaded, ablation, chosen.head(limit), judge, max_new_tokens, progress)
            for name, chosen in kinds.items()
        }
    rows = [{"kind": name} | row for name, answers in found.items() for row in answers.pop("rows")]
    # The harmful prompts' numbers, or those of the file, stand at the top; the panel's benign ones beside them.
    first, *others = found
    result = {"model": model, "set": set_name, "origin": dict(ablation.neurons.origin), "count": len(ablation)}
    result |= {"ablation": {"kind": kind, "factor": factor, "positions": positions}} | found[first]
    result |= {name: found[name] for name in others} | {"rows": rows}
    off = f"{set_name}, {ablation}"
    if not len(ablation) and set_name != "ORI":
        result["note"] = (
            "The set has no neurons, so nothing was ablated; where thresholds made it, lower --tau-es or --tau-sas."
        )
        off += f". {result['note']}"
    columns = ["prompts", "n", "refusal_rate", "interval", *APART, "judge"]
    columns += ["mean_refusal_score", "original_mean_refusal_score"]
    summary = terminal.table([{"prompts": name} | answers for name, answers in found.items()], columns)
    terminal.show(result, json, f"{_answers_text(rows)}\n\n{off}\n{summary}")


def _answered(
    loaded: "LoadedModel", ablation: Ablation, prompts: PromptSet, judge: str, max_new_tokens: int, progress: Progress
) -> dict[str, Any]:
    """Return the answers under the ablation and their rate, with the refusal scores as they are and were."""
    from safeneuron.evaluation import answers_under
    from safeneuron.refusal.log_odds import refusal_scores

    original = refusal_scores(loaded, prompts.prompts, progress=progress).tolist()
    rows, refusal = answers_under(loaded, ablation, prompts, judge, max_new_tokens, progress)
    rows = [row | {"original_refusal_score": score} for row, score in zip(rows, original, strict=True)]
    return {
        "n": refusal.n,
        "refusal_rate": refusal.value,
        "interval": [refusal.low, refusal.high],
        **{name: getattr(refusal, name) for name in APART},
        "judge": refusal.judge,
        "mean_refusal_score": fmean(row["refusal_score"] for row in rows),
        "original_mean_refusal_score": fmean(original),
        "rows": rows,
    }


def _answers_text(rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{row['verdict']:10}  {row['prompt']}\n"
        + (f"            {row['because']}\n" if row["because"] else "")
        + f"            refusal score {row['original_refusal_score']:+.2f}, ablated "
        + f"{row['refusal_score']:+.2f}\n"
        f"            {row['answer']}"
        for row in rows
    )
