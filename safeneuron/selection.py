"""From what a person typed or chose to a neuron set."""

from collections.abc import Iterable
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet, parse_neurons, random_like
from safeneuron.scores.score import ScoreTable


def named_set(text: str, table: ScoreTable, thresholds: dict[str, float] | None = None, seed: int = 0) -> NeuronSet:
    """Return the set that a text names.

    Parameters
    ----------
    text : str
        ORI (the empty set), ES, SAS, FULL, RANDOM (as many per layer as FULL), the path of a JSON
        neuron set, or neurons as ``layer:index`` with commas between them.
    table : ScoreTable
        Scores of the model that the set is for.
    thresholds, seed
        For the scores' sets, and for RANDOM.

    Raises
    ------
    UserError
        When the text names no set, or the set is of another model.
    """
    sets = table.select(thresholds)
    shape = sets["FULL"].shape
    if text == "ORI":
        return NeuronSet("ORI", table.model, shape, frozenset())
    if text == "RANDOM":
        return random_like(sets["FULL"], seed)
    if text in sets:
        return sets[text]
    if text.endswith(".json"):
        return _of_this_model(NeuronSet.load(Path(text)), table.model, shape)
    if ":" in text:
        return NeuronSet("custom", table.model, shape, parse_neurons(text.split(",")), {"typed": text})
    known = ", ".join(["ORI", *sets, "RANDOM"])
    raise UserError(
        f"There is no set {text!r}; give one of {known}, the path of a .json neuron set, "
        "or neurons such as 15:766,15:801."
    )


def changed_set(
    text: str, changes: str, table: ScoreTable, thresholds: dict[str, float] | None = None
) -> tuple[NeuronSet, NeuronSet]:
    """Return a named set, and the same with some neurons added or taken out.

    Parameters
    ----------
    text : str
        See :func:`named_set`.
    changes : str
        Neurons as ``layer:index`` with commas between them: members of the set go, others come.

    Returns
    -------
    named, changed : NeuronSet
    """
    named = named_set(text, table, thresholds)
    neurons = parse_neurons(part for part in changes.split(",") if part.strip())
    if not neurons:
        return named, named
    origin = dict(named.origin) | {"changed": sorted(neurons)}
    changed = NeuronSet(
        f"{named.name}, {len(neurons)} changed", named.model, named.shape, named.neurons ^ neurons, origin
    )
    return named, changed


def toggled(named: NeuronSet, hand: NeuronSet, picked: set[Neuron]) -> frozenset[Neuron]:
    """Return the changes to a named set after neurons were picked on the map.

    Picking neurons that are all in hand takes them out; otherwise those that are missing come in.
    """
    after = hand.neurons - picked if picked <= hand.neurons else hand.neurons | picked
    return named.neurons ^ after


def written(neurons: Iterable[Neuron]) -> str:
    """Return neurons as people write them, which :func:`safeneuron.neurons.parse_neurons` reads."""
    return ",".join(f"{layer}:{index}" for layer, index in sorted(neurons))


def _of_this_model(found: NeuronSet, model: str, shape: tuple[int, int]) -> NeuronSet:
    if found.shape != shape:
        raise UserError(
            f"The set {found.name} is of a model of shape {found.shape}, this one has {shape}; "
            "choose a set of this model."
        )
    return found
