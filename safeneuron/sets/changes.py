"""A set that somebody changed by hand: neurons clicked in and out of it."""

from collections.abc import Iterable, Mapping

from safeneuron.neurons import Neuron, NeuronSet, parse_neurons
from safeneuron.scores.score import ScoreTable
from safeneuron.selection import understood
from safeneuron.sets.expression import written_neurons


def changed_set(
    text: str,
    changes: str,
    table: ScoreTable,
    thresholds: Mapping[str, float] | None = None,
    ancestors: Iterable[str] = (),
) -> tuple[NeuronSet, NeuronSet]:
    """Return a named set, and the same with some neurons added or taken out.

    Parameters
    ----------
    text : str
        See :func:`safeneuron.selection.understood`. It may come from a link, so it names no files.
    changes : str
        Neurons as ``layer:index`` with commas between them: members of the set go, others come.

    Returns
    -------
    named, changed : NeuronSet
    """
    named = understood(text, table.model, table.shape, ancestors, files=False).neurons(table, thresholds)
    neurons = parse_neurons(part for part in changes.split(",") if part.strip())
    if not neurons:
        return named, named
    origin = dict(named.origin) | {"changed": written_neurons(neurons)}
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
