"""``score``: the numbers of the Neurons page, of one model or of the difference of two."""

from pathlib import Path
from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    Benign,
    Column,
    Compare,
    Harmful,
    Json,
    Model,
    TauES,
    TauSAS,
    opened,
    prompts_from,
    thresholds,
)
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.fit import SCORING, require_fit
from safeneuron.statistics import check_pooling, check_prompts


def score(
    model: Model = DEFAULT_MODEL,
    compare: Compare = None,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the scores (parquet) and the sets (JSON).")] = None,
    json: Json = False,
) -> None:
    """Score every neuron and select the safety neurons, of one model or of one against another."""
    from safeneuron.comparison import require_same_shape, write_difference
    from safeneuron.score_frames import check_target, write_scores
    from safeneuron.scoring import score_table

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        classes = [prompts_from(path, column) for path in (harmful, benign)]
        for prompts in classes:
            if prompts is not None:
                check_prompts(prompts)
        check_pooling(pooling)
        if out:
            check_target(out)
        chosen = thresholds(tau_es, tau_sas)
        if compare:
            require_same_shape(model_card(model), model_card(compare))
        for source in filter(None, (model, compare)):
            require_fit(model_card(source), SCORING)
        # Each model goes as soon as it is scored, so that one at a time is in memory.
        table = score_table(opened(model, progress), *classes, pooling, progress)
        other = score_table(opened(compare, progress), *classes, pooling, progress) if compare else None
        sets = table.select(chosen)
        if out:
            write_scores(table, sets, out)
            if other:
                write_difference(table, other, out)
    result = {
        "model": model,
        "n_harmful": table.harmful.count,
        "n_benign": table.benign.count,
        "pooling": pooling,
        "thresholds": chosen,
        "sets": {
            name: {"count": len(found), "share": found.share, "per_layer": found.per_layer()}
            for name, found in sets.items()
        },
    }
    rows = [{"set": name, "neurons": len(found), "share of all": found.share} for name, found in sets.items()]
    text = terminal.table(rows, ["set", "neurons", "share of all"])
    if other:
        from safeneuron.comparison import largest_changes, score_difference, set_changes

        result["compared_with"] = compare
        result["set_changes"] = set_changes(sets, other.select(chosen))
        result["largest_changes"] = largest_changes(score_difference(table, other))
        text += "\n\n" + _difference_text(result)
    terminal.show(result, json, text)


def _difference_text(result: dict[str, Any]) -> str:
    changes = result["set_changes"]
    whole = [{"set": name} | row for name, row in changes.items()]
    columns = {f"{name} {way}": row[f"{way}_per_layer"] for name, row in changes.items() for way in ("gained", "lost")}
    layers = [
        {"layer": layer} | dict(zip(columns, counts, strict=True))
        for layer, counts in enumerate(zip(*columns.values(), strict=True))
    ]
    neurons = [
        {"score": name, "neuron": f"{row['layer']}:{row['index']}", "difference": row["difference"]}
        for name, rows in result["largest_changes"].items()
        for row in rows
    ]
    return "\n\n".join(
        [
            f"{result['model']} less {result['compared_with']}; gained is what only the first has",
            terminal.table(whole, ["set", "count", "other_count", "shared", "gained", "lost"]),
            terminal.table(layers, ["layer", *columns]),
            terminal.table(neurons, ["score", "neuron", "difference"]),
        ]
    )
