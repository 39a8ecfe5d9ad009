"""From what a person typed or chose to a neuron set."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.device import weights_of
from safeneuron.neurons import Neuron, NeuronSet, parse_neurons, random_like
from safeneuron.scores.score import ScoreTable, identifying_scores


def check_set(text: str) -> None:
    """Refuse a text that is a set of no model at all, or a missing or broken file, before a model is asked for.

    Raises
    ------
    UserError
        When no model could understand the text; see :func:`understood`.
    """
    names = _names()
    if text.endswith(".json"):
        NeuronSet.load(Path(text))
    elif ":" in text:
        parse_neurons(text.split(","))
    elif text not in names:
        raise UserError(
            f"There is no set {text!r}; give one of {', '.join(names)}, the path of a .json neuron set, "
            "or neurons such as 15:766,15:801."
        )


def understood(text: str, model: str, shape: tuple[int, int], ancestors: Iterable[str] = ()) -> str | NeuronSet:
    """Return the set that a text spells out, or the text where it names a set that the model's scores give.

    Parameters
    ----------
    text : str
        ORI (the empty set), ES, SAS, FULL, RANDOM (as many per layer as FULL), the path of a JSON
        neuron set, or neurons as ``layer:index`` with commas between them.
    model : str
        Fingerprint of the model that the set is for.
    shape : tuple of int
        ``(n_layers, d_mlp)`` of it.
    ancestors : iterable of str
        Fingerprints of the models that it was trained from (:func:`safeneuron.models.catalogue.ancestors`),
        whose sets hold for it too; asked for only where a file says that its set is of another model.

    Raises
    ------
    UserError
        When the text names no set, or the set is of another model.
    """
    check_set(text)
    if text == "ORI":
        return NeuronSet("ORI", model, shape, frozenset())
    if text in _names():
        return text
    if text.endswith(".json"):
        return checked(NeuronSet.load(Path(text)), model, shape, ancestors)
    return NeuronSet("custom", model, shape, parse_neurons(text.split(",")), {"typed": text})


def _names() -> tuple[str, ...]:
    return "ORI", *identifying_scores(), "FULL", "RANDOM"


def checked(found: NeuronSet, model: str, shape: tuple[int, int], ancestors: Iterable[str] = ()) -> NeuronSet:
    """Return the set if it is of this model or of one that it was trained from; see :func:`understood`."""
    if found.shape != shape:
        raise UserError(
            f"The set {found.name} is of a model of shape {found.shape}, this one has {shape}; "
            "choose a set of this model."
        )
    # Neurons are places in the weights, so a set found in bfloat16 is one of the same weights in float32.
    if weights_of(found.model) not in (weights_of(name) for name in chain([model], ancestors)):
        raise UserError(
            f"The set {found.name} was found on another model (fingerprint {found.model}), neither this one ({model}) "
            "nor one that it was trained from; choose a set of this model."
        )
    return found


def named_set(
    text: str,
    table: ScoreTable,
    thresholds: dict[str, float] | None = None,
    seed: int = 0,
    ancestors: Iterable[str] = (),
) -> NeuronSet:
    """Return the set that a text names.

    Parameters
    ----------
    text, ancestors
        See :func:`understood`.
    table : ScoreTable
        Scores of the model that the set is for.
    thresholds, seed
        For the scores' sets, and for RANDOM.

    Raises
    ------
    UserError
        When the text names no set, or the set is of another model.
    """
    found = understood(text, table.model, table.shape, ancestors)
    if isinstance(found, NeuronSet):
        return found
    sets = table.select(thresholds)
    return random_like(sets["FULL"], seed) if found == "RANDOM" else sets[found]


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


def after_picking(hand: NeuronSet, picked: set[Neuron], way: str) -> frozenset[Neuron]:
    """Return the neurons in hand after some were picked on the map.

    Parameters
    ----------
    way : str
        "add" them, "remove" them, or "toggle" each: out if it is in hand, in if it is not.
    """
    ways = {"add": hand.neurons.union, "remove": hand.neurons.difference, "toggle": hand.neurons.symmetric_difference}
    return ways[way](picked)


def written(neurons: Iterable[Neuron]) -> str:
    """Return neurons as people write them, which :func:`safeneuron.neurons.parse_neurons` reads."""
    return ",".join(f"{layer}:{index}" for layer, index in sorted(neurons))
