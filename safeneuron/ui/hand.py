"""The neuron set in hand: chosen on one page, used on all, and kept in the address.

It is an expression (:mod:`safeneuron.sets.expression`), most often just a name, and what was clicked into
and out of it since. So it follows the thresholds, and a link restores it: ``?set=ES&changes=15:766``. Files
are never read for it: a link must not make the server do so.
"""

from collections.abc import Iterable, Iterator

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL, ancestors
from safeneuron.neurons import Neuron, NeuronSet, parse_neurons
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.selection import understood
from safeneuron.sets.changes import after_picking, changed_set
from safeneuron.sets.expression import Combined, Named, Neurons, written, written_neurons
from safeneuron.sets.kept import kept_names
from safeneuron.sets.parser import parse
from safeneuron.ui.address import SETS, threshold_name
from safeneuron.ui.choice import card_of

NAMED = SETS
OWN = "own set"
LONGEST_LABEL = 40
_LEFT = "left_set"
"""The session's set that cannot be made now, for which FULL is in hand meanwhile."""


def thresholds() -> dict[str, float]:
    """Return the threshold of every score, as the sliders of the Neurons page stand."""
    return {name: st.session_state[threshold_name(name)] for name in identifying_scores()}


def in_hand(table: ScoreTable) -> NeuronSet:
    """Return the set in hand as neurons of the model whose scores these are."""
    return _both(table)[1]


def settle(card: ModelCard) -> str:
    """Take FULL in hand where the set means nothing for this model: its name, or neurons that were clicked.

    Returns
    -------
    str
        A sentence on it, for a link may have an unknown name in it; empty where all is well.
    """
    try:
        understood(st.session_state["set"], card.fingerprint, card.shape, ancestors(card), files=False)
        clicked = frozenset(parse_neurons(filter(None, st.session_state["changes"].split(","))))
        NeuronSet(OWN, card.fingerprint, card.shape, clicked)
    except UserError as error:
        st.session_state.update({"set": "FULL", "changes": ""})
        return f"{error} The set in hand is FULL now."
    return ""


def meanwhile(table: ScoreTable) -> str:
    """Take FULL in hand while the set that was chosen cannot be made, and that set again as soon as it can.

    A threshold may leave fewer neurons than an expression asks for, or it may name a score that was not computed yet.

    Returns
    -------
    str
        Why it cannot; empty where all is well.
    """
    if _LEFT in st.session_state and name_in_hand() == "FULL":
        st.session_state.update(st.session_state.pop(_LEFT))
    st.session_state.pop(_LEFT, None)
    if name_in_hand() in NAMED:
        return ""
    try:
        in_hand(table)
    except UserError as error:
        st.session_state[_LEFT] = {key: st.session_state[key] for key in ("set", "changes")}
        st.session_state.update({"set": "FULL", "changes": ""})
        return f"{error} FULL is in hand until then."
    return ""


def name_in_hand() -> str:
    """Return the expression in hand, such as FULL, or "own set" where neurons were clicked since."""
    return OWN if st.session_state["changes"] else st.session_state["set"]


def expression() -> str:
    """Return the set in hand as an expression, what was clicked with it."""
    text, changes = st.session_state["set"], st.session_state["changes"]
    return written(Combined("^", parse(text), Neurons(parse_neurons(changes.split(","))))) if changes else text


def names(card: ModelCard) -> list[str]:
    """Return what can be taken in hand: the names that every model has, the own set, the kept ones, the present one."""
    kept = [written(Named(name)) for name in kept_names(card.fingerprint, ancestors(card))]
    own_set = [OWN] if has_own() else []
    return list(dict.fromkeys([*NAMED, *own_set, *kept, name_in_hand()]))


def label(text: str) -> str:
    """Return an expression as a menu or title shows it: a name without quotation marks, a long one cut short."""
    inner = text[1:-1]
    if text == f'"{inner}"' and '"' not in inner:
        return inner
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


def take(name: str) -> None:
    """Take the set that an expression stands for in hand, or the own set that was put aside for another."""
    st.session_state.pop(_LEFT, None)
    present = {key: st.session_state[key] for key in ("set", "changes")}
    if present["changes"]:
        st.session_state["put_aside"] = present
    wanted = st.session_state.get("put_aside", present) if name == OWN else {"set": name, "changes": ""}
    st.session_state.update(wanted)


def replace(neurons: NeuronSet) -> None:
    """Take exactly these neurons in hand, as an own set."""
    take("ORI")
    st.session_state["changes"] = written_neurons(neurons.neurons)


def has_own() -> bool:
    """Return whether there is an own set, in hand or put aside."""
    return bool(st.session_state["changes"]) or "put_aside" in st.session_state


def own(table: ScoreTable) -> NeuronSet | None:
    """Return the own set, in hand or put aside, or None where there is none that this model has the neurons for."""
    if st.session_state["changes"]:
        return in_hand(table)
    aside = st.session_state.get("put_aside")
    try:
        return _changed(aside["set"], aside["changes"], table)[1] if aside else None
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
    return _changed(st.session_state["set"], st.session_state["changes"], table)


def of(text: str, table: ScoreTable) -> NeuronSet:
    """Return the set that an expression stands for, under the thresholds as they are.

    Raises
    ------
    UserError
        When it stands for none.
    """
    return _changed(text, "", table)[1]


def _changed(text: str, changes: str, table: ScoreTable) -> tuple[NeuronSet, NeuronSet]:
    return changed_set(text, changes, table, thresholds(), _ancestors())


def _ancestors() -> Iterator[str]:
    """Yield the ancestors of the model that is chosen, which is looked up only when they are asked for."""
    yield from ancestors(card_of((st.session_state["model"] or DEFAULT_MODEL).strip()))
