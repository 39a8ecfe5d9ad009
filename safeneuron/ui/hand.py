"""The neuron set in hand: chosen on one page, used on all, and kept in the address.

It is a named set (ORI, ES, SAS, FULL, RANDOM) and what was clicked into and out of it since. So it
follows the thresholds, and a link restores it: ``?set=ES&changes=15:766``.
"""

from collections.abc import Iterable

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet, parse_neurons
from safeneuron.scores.score import ScoreTable, scores
from safeneuron.sets.changes import after_picking, changed_set
from safeneuron.sets.expression import written_neurons
from safeneuron.ui.address import SETS, threshold_name

NAMED = SETS
OWN = "own set"


def thresholds() -> dict[str, float]:
    """Return the threshold of every score, as the sliders of the Neurons page stand."""
    return {name: st.session_state[threshold_name(name)] for name in scores()}


def in_hand(table: ScoreTable) -> NeuronSet:
    """Return the set in hand as neurons of the model whose scores these are."""
    return _both(table)[1]


def name_in_hand() -> str:
    """Return ORI, ES, SAS, FULL, RANDOM, or "own set"."""
    return OWN if st.session_state["changes"] else st.session_state["set"]


def take(name: str) -> None:
    """Take a named set in hand, or the own set that was put aside for one."""
    present = {key: st.session_state[key] for key in ("set", "changes")}
    if present["changes"]:
        st.session_state["put_aside"] = present
    wanted = st.session_state.get("put_aside", present) if name == OWN else {"set": name, "changes": ""}
    st.session_state.update(wanted)


def has_own() -> bool:
    """Return whether there is an own set, in hand or put aside."""
    return bool(st.session_state["changes"]) or "put_aside" in st.session_state


def own(table: ScoreTable) -> NeuronSet | None:
    """Return the own set, in hand or put aside, or None where there is none that this model has the neurons for."""
    if st.session_state["changes"]:
        return in_hand(table)
    aside = st.session_state.get("put_aside")
    try:
        return changed_set(aside["set"], aside["changes"], table, thresholds())[1] if aside else None
    except UserError:
        return None


def change(neurons: Iterable[Neuron]) -> None:
    """Put those of the neurons that are not in the set into it, and take the others out."""
    before = parse_neurons(part for part in st.session_state["changes"].split(",") if part)
    st.session_state["changes"] = written_neurons(before ^ frozenset(neurons))


def pick(table: ScoreTable, picked: set[Neuron], way: str) -> str:
    """Put picked neurons into the set or take them out, and return what happened.

    Parameters
    ----------
    way : str
        See :func:`safeneuron.selection.after_picking`.
    """
    named, present = _both(table)
    after = after_picking(present, picked, way)
    st.session_state["changes"] = written_neurons(named.neurons ^ after)
    added, taken = after - present.neurons, present.neurons - after
    if added:
        return f"Added {_counted(added)} to the set."
    if taken:
        return f"Took {_counted(taken)} out of the set."
    return "None of these neurons was in the set." if way == "remove" else "All of these neurons were in the set."


def _counted(neurons: frozenset[Neuron]) -> str:
    if len(neurons) == 1:
        ((layer, index),) = neurons
        return f"neuron {layer}:{index}"
    return f"{len(neurons):,} neurons"


def _both(table: ScoreTable) -> tuple[NeuronSet, NeuronSet]:
    return changed_set(st.session_state["set"], st.session_state["changes"], table, thresholds())
