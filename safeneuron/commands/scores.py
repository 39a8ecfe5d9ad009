"""``score``: the numbers of the Neurons page, of one model or of the difference of two."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.methods import (
    Method,
    MethodNames,
    Options,
    Second,
    Taus,
    agreement_of,
    described,
    parsed,
    written_methods,
)
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
    opener,
    prompts_from,
    thresholds,
)
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.fit import SCORING, require_fit
from safeneuron.models.parity_report import refuse_if_red
from safeneuron.progress import Progress
from safeneuron.prompts.classes import PromptClasses
from safeneuron.scores.result import ScoreRequest, ScoreResult
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.statistics import Pooling, check_pooling

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


def score(
    model: Model = DEFAULT_MODEL,
    compare: Compare = None,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    names: MethodNames = None,
    option: Options = None,
    tau: Taus = None,
    second: Second = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the scores (parquet) and the sets (JSON).")] = None,
    json: Json = False,
) -> None:
    """Score every neuron and select the safety neurons, of one model or of one against another."""
    from safeneuron.comparison import require_same_shape, write_difference
    from safeneuron.score_frames import check_target, write_scores
    from safeneuron.scoring import classes_of
    from safeneuron.significance import LEVEL, significant

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        classes = [prompts_from(path, column) for path in (harmful, benign)]
        both = classes_of(*classes)
        check_pooling(pooling)
        if out:
            check_target(out)
        wanted = parsed(names, option or [], tau or [], second)
        cards = {source: model_card(source) for source in filter(None, (model, compare, second))}
        chosen = thresholds(tau_es, tau_sas, cards[model])
        for source, card in cards.items():
            if source != model:
                require_same_shape(cards[model], card)
            require_fit(card, SCORING)
        # Each model goes as soon as it is scored, so that one at a time is in memory.
        table, identified, found = _scored(cards[model], both, pooling, wanted, cards.get(second), progress)
        other = _table(cards[compare], both, pooling, opener(cards[compare], progress), progress) if compare else None
        sets = table.select(chosen)
        sets |= {method.name: result.select(method.threshold) for method, result in zip(wanted, found, strict=True)}
        if out:
            write_scores(table, sets, out, found)
            if other:
                write_difference(table, other, out)
    result = {
        "model": model,
        "n_harmful": table.harmful.count,
        "n_benign": table.benign.count,
        "pooling": pooling,
        "notes": list(both.notes),
        "thresholds": chosen | {method.name: method.threshold for method in wanted},
        "sets": {
            name: {"count": len(found), "share": found.share, "per_layer": found.per_layer()}
            for name, found in sets.items()
        },
    }
    rows = [{"set": name, "neurons": len(found), "share of all": found.share} for name, found in sets.items()]
    text = "\n".join([*both.notes, terminal.table(rows, ["set", "neurons", "share of all"])])
    if wanted:
        result["methods"] = described(wanted, found)
        result["agreement"] = agreement_of([*identified, *found])
        text += "\n\n" + written_methods(result["methods"], result["agreement"])
        for tested in (tested for tested in found if tested.name == "Significance"):
            for name, members in sets.items():
                result["sets"][name]["significant"] = significant(members, tested)
            counts = ", ".join(
                f"{row['significant']} of {row['count']} in {name}" for name, row in result["sets"].items()
            )
            text += f"\n\nq < {LEVEL} for the effect size: {counts}"
    if other:
        from safeneuron.comparison import largest_changes, score_difference, set_changes

        result["compared_with"] = compare
        theirs = other.select(chosen)
        result["set_changes"] = set_changes({name: sets[name] for name in theirs}, theirs)
        result["largest_changes"] = largest_changes(score_difference(table, other))
        text += "\n\n" + _difference_text(result)
    terminal.show(result, json, text)


def _scored(
    card: ModelCard,
    classes: PromptClasses,
    pooling: Pooling,
    wanted: Sequence[Method],
    second: ModelCard | None,
    progress: Progress,
) -> tuple[ScoreTable, list[ScoreResult], list[ScoreResult]]:
    """Return the paper's scores of a model, as a table and as results, and the others asked for, from shared passes.

    The model is opened only if something has to be computed.
    """
    from safeneuron.scoring import compute_scores

    other = second.fingerprint if second else None
    own = [ScoreRequest(name, card.fingerprint, classes, pooling) for name in identifying_scores()]
    more = [ScoreRequest(method.name, card.fingerprint, classes, pooling, method.options, other) for method in wanted]
    refuse_if_red(card)
    loaded = opener(card, progress)
    found = compute_scores([*own, *more], loaded, lambda: opened(second, progress), progress)
    table = _table(card, classes, pooling, loaded, progress)
    return table, found[: len(own)], found[len(own) :]


def _table(
    card: ModelCard,
    classes: PromptClasses,
    pooling: Pooling,
    loaded: "Callable[[], LoadedModel]",
    progress: Progress,
) -> ScoreTable:
    """Return the paper's scores of a model, which is opened only if they have still to be computed."""
    from safeneuron.scoring import kept_score_table, score_table

    refuse_if_red(card)
    asked = classes.harmful, classes.benign, pooling
    kept = kept_score_table(card.fingerprint, *asked)
    return score_table(loaded(), *asked, progress) if kept is None else kept


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
