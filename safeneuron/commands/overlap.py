"""``overlap``: the numbers of the Overlap page."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    Benign,
    Column,
    Harmful,
    Json,
    Model,
    TauES,
    TauSAS,
    opened_unchecked,
    prompts_from,
    thresholds,
)
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.fit import SCORING, require_fit
from safeneuron.progress import Progress
from safeneuron.statistics import check_pooling

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel
    from safeneuron.overlap.material import Material

PARTS = ("depth", "categories", "layers", "writing", "stability", "variations", "runs")


def overlap(
    model: Model = DEFAULT_MODEL,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Another model of its shape, such as run:ID; may be repeated."),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help=f"One of {', '.join(PARTS)}; may be repeated. By default all but variations, which reads the prompts "
            "again for every wording and system prompt.",
        ),
    ] = None,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    category_column: Annotated[
        str | None, typer.Option(help="Where your harmful prompts' category of harm is, for the part categories.")
    ] = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    background: Annotated[
        bool, typer.Option("--background", help="As a background run; `runs` lists and cancels it.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare safety neurons and representations across layers, categories of harm and models."""
    from safeneuron.comparison import require_same_shape
    from safeneuron.overlap.analysis import checked_parts, computed, read_parts
    from safeneuron.overlap.start import cost, start_analysis
    from safeneuron.overlap.summary import READING

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        parts = checked_parts(part, bool(compare))
        check_pooling(pooling)
        if model in (compare or []):
            raise UserError(f"{model} would be compared with itself; give another model, such as run:ID.")
        cards = {source: model_card(source) for source in dict.fromkeys([model, *(compare or [])])}
        chosen = thresholds(tau_es, tau_sas, cards[model])
        make = _material(harmful, benign, column, category_column, pooling)
        for card in cards.values():
            if "runs" in parts:
                require_same_shape(cards[model], card)
            require_fit(card, SCORING)
        materials = {source: make(card.fingerprint) for source, card in cards.items()}
        models = [(cards[source], material) for source, material in materials.items()]
        if background:
            typer.echo(f"To do: {cost(models, parts)}.", err=True)
            run = start_analysis(models, parts, chosen)
        else:
            result: dict[str, Any] = {
                "model": model,
                "compared_with": compare or [],
                "n_harmful": len(materials[model].classes.harmful),
                "n_benign": len(materials[model].classes.benign),
                "pooling": pooling,
                "thresholds": chosen,
                "notes": list(materials[model].classes.notes),
            }
            for card, material in models:
                # Each model is let go of before the next is opened.
                read_parts(card, material, parts, card is cards[model], _opened(card, progress), progress)
            found, refused = computed(materials, parts, chosen, progress)
            if part and refused:
                # What was asked for by name is an error; of all parts, those that these prompts allow are given.
                raise UserError(" ".join(dict.fromkeys(refused.values())))
            result |= {name: found.get(name) or {READING: refused[name]} for name in parts}
    if background:
        terminal.show({"run": run}, json, f"Run {run} has started; `python -m safeneuron runs show {run[:8]}` watches.")
    else:
        terminal.show(result, json, _text(result, parts))


def _material(
    harmful: Path | None, benign: Path | None, column: str | None, label: str | None, pooling: str
) -> "Callable[[str], Material]":
    """Return what makes the material of a model with a fingerprint, of files or of the built-in prompts."""
    from safeneuron.overlap.material import Material, material_of
    from safeneuron.prompts.promptset import load_labels
    from safeneuron.scoring import classes_of

    if label and not harmful:
        raise UserError("--category-column is a column of your own harmful prompts; give them with --harmful.")
    if not (harmful or benign):
        return lambda model: material_of(model, pooling)
    labels = load_labels(harmful, label, column) if label else material_of("", pooling).categories
    classes = classes_of(*(prompts_from(path, column) for path in (harmful, benign)))
    labels = {prompt: labels[prompt] for prompt in classes.harmful.prompts if prompt in labels}
    return lambda model: Material(model, classes, labels, pooling)


def _opened(card: ModelCard, progress: Progress) -> "Callable[[], tuple[LoadedModel, LoadedModel]]":
    """Return what opens a model once it is asked for: spoken to by itself, and as its card says, self-checked."""

    @cache
    def models() -> "tuple[LoadedModel, LoadedModel]":
        plain = opened_unchecked(card.plain or card, progress)
        from safeneuron.models.chat_names import spoken_as
        from safeneuron.models.parity import require_parity

        spoken = spoken_as(plain, card) if card.chat else plain
        require_parity(spoken, progress)
        return plain, spoken

    return models


def _sentences(value: Any) -> Iterator[str]:
    """Yield the sentence of every result, in order."""
    if isinstance(value, Mapping):
        yield from [value["reading"]] if "reading" in value else []
        for inner in value.values():
            yield from _sentences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sentences(inner) if isinstance(inner, Mapping) else ()


def _text(result: Mapping[str, Any], parts: list[str]) -> str:
    lines = [*result["notes"]]
    for name in parts:
        lines += ["", name, "-" * len(name), *_sentences(result[name])]
        if "overlap_ratio" in result[name]:
            rows = result[name]["overlap_ratio"]["union"]["by_k"]
            lines += [
                "",
                terminal.table(rows, ["k", "combinations", "mean", "deviation", "chance", "dealt_out_at_random"]),
            ]
        lines += result[name].get("notes", [])
    return "\n".join(lines).strip()
