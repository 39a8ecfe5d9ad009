"""``sets``: neuron sets by name: list, show, save, delete, import and export."""

from pathlib import Path
from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import ForeignSet, Json, Model, Seed, TauES, TauSAS, opener, selected, thresholds
from safeneuron.models.catalogue import DEFAULT_MODEL, ancestors, model_card
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress

HELP = """Name neuron sets, combine them, and bring them from and to files.

A set is written as ORI, ES, SAS, FULL, RANDOM; the name of a kept set, in quotation marks where it has spaces; neurons
such as 15:766,15:801; or the path of a .json file. Sets combine with | (in either), & (in both), - (in the first
only), ^ (in one of them only) and brackets. top(50, ES, not in SAS) is the 50 neurons of highest ES that SAS leaves
out, and top(0.5%, ES) as many as 0.5 % of the model's neurons; layers(10, 20) every neuron of layers 10 to 20, so that
FULL & layers(10, 20) is what FULL has there, and top(50, ES, in layers(10, 20)) the 50 highest of them;
random(FULL, 3) as many random neurons in each layer as FULL has, with seed 3.
"""

sets_app = typer.Typer(no_args_is_help=True, help=HELP)
Set = Annotated[str, typer.Argument(metavar="SET", help="A set's name, or any other way of writing one.")]
Name = Annotated[str, typer.Option("--name", help="Name to keep it under.")]
Replace = Annotated[bool, typer.Option("--replace", help="Let it take the place of another set of that name.")]


@sets_app.command("list")
def sets_list(model: Model = DEFAULT_MODEL, json: Json = False) -> None:
    """List the sets that are kept for a model and for those that it was trained from."""
    from safeneuron.sets.kept import kept_sets

    with terminal.command():
        card = model_card(model)
        kept = kept_sets(card.fingerprint, ancestors(card))
        rows = [_facts(found) for found in kept.sets]
    text = (
        terminal.table(rows, ["name", "neurons", "made for", "from"]) if rows else "No set is kept for this model yet."
    )
    terminal.show({"model": model, "sets": rows, "broken": list(kept.broken)}, json, "\n\n".join([text, *kept.broken]))


@sets_app.command("show")
def sets_show(
    text: Set,
    model: Model = DEFAULT_MODEL,
    foreign: ForeignSet = False,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Print a set: how many neurons, in which layers, which ones, and where it came from."""
    from safeneuron.sets.expression import written_neurons

    with terminal.command() as progress:
        found = _selected(text, model, foreign, tau_es, tau_sas, seed, progress)
    result = found.to_json() | {"count": len(found), "share": found.share, "per_layer": found.per_layer()}
    layers = [{"layer": layer, "neurons": count} for layer, count in enumerate(found.per_layer()) if count]
    said = _facts(found) | {"share": f"{found.share:.3%} of the model's neurons"}
    facts = "\n".join(f"{key}: {value}" for key, value in said.items())
    table = terminal.table(layers, ["layer", "neurons"])
    terminal.show(result, json, f"{facts}\n\n{table}\n\n{written_neurons(found.neurons) or 'It has no neurons.'}")


@sets_app.command("save")
def sets_save(
    text: Set,
    name: Name,
    model: Model = DEFAULT_MODEL,
    replace: Replace = False,
    foreign: ForeignSet = False,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Keep a set under a name: its neurons as they are now, whatever thresholds are chosen later."""
    from safeneuron.sets.kept import check_set_name, keep_set

    with terminal.command() as progress:
        check_set_name(name)
        found = _selected(text, model, foreign, tau_es, tau_sas, seed, progress)
        kept = keep_set(found, name, model_card(model).fingerprint, replace)
    _show_kept(kept, json)


@sets_app.command("delete")
def sets_delete(
    name: Annotated[str, typer.Argument(help="Name of a set that is kept for this very model.")],
    model: Model = DEFAULT_MODEL,
    json: Json = False,
) -> None:
    """Delete a kept set; runs that were started with it have a copy of their own."""
    from safeneuron.sets.kept import delete_set

    with terminal.command():
        delete_set(name, model_card(model).fingerprint)
    terminal.show({"deleted": name}, json, f"The set {name} is deleted.")


@sets_app.command("import")
def sets_import(
    file: Annotated[Path, typer.Argument(help="JSON file of a set, as `sets export` and `score --out` write it.")],
    name: Annotated[str | None, typer.Option("--name", help="Name to keep it under; its own by default.")] = None,
    model: Model = DEFAULT_MODEL,
    replace: Replace = False,
    foreign: ForeignSet = False,
    json: Json = False,
) -> None:
    """Keep the set of a file."""
    from safeneuron.sets.belonging import checked
    from safeneuron.sets.kept import keep_set

    with terminal.command():
        found = NeuronSet.load(file)
        card = model_card(model)
        found = checked(found, card.fingerprint, card.shape, ancestors(card), foreign)
        kept = keep_set(found, name or found.name, card.fingerprint, replace)
    _show_kept(kept, json)


@sets_app.command("export")
def sets_export(
    text: Set,
    file: Annotated[Path, typer.Argument(help="JSON file to write.")],
    model: Model = DEFAULT_MODEL,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    foreign: ForeignSet = False,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write a set, with the model's fingerprint and its origin, to a JSON file."""
    from safeneuron.errors import UserError

    with terminal.command() as progress:
        if file.exists() and not replace:
            raise UserError(f"There is a file {file} already; give another path, or add --replace.")
        found = _selected(text, model, foreign, tau_es, tau_sas, seed, progress)
        found.save(file)
    terminal.show(
        {"file": str(file), "count": len(found)}, json, f"{len(found):,} neurons of {found.name} written to {file}."
    )


def _selected(
    text: str,
    model: str,
    foreign: bool,
    tau_es: float | None,
    tau_sas: float | None,
    seed: int,
    progress: Progress,
) -> NeuronSet:
    from safeneuron.selection import check_set

    check_set(text)
    card = model_card(model)
    return selected(text, card, foreign, thresholds(tau_es, tau_sas, card), seed, progress, opener(card, progress))


def _facts(found: NeuronSet) -> dict[str, Any]:
    from safeneuron.sets.origin import origin_words

    return {
        "name": found.name,
        "neurons": len(found),
        "share": found.share,
        "made for": found.model,
        "from": origin_words(found.origin),
    }


def _show_kept(kept: NeuronSet, json: bool) -> None:
    facts = _facts(kept)
    terminal.show({"kept": facts}, json, f"Kept {len(kept):,} neurons as {kept.name}: {facts['from']}.")
