"""The neuron set in hand: chosen on one page, used on all, and kept in the address.

It is a named set (ORI, ES, SAS, FULL, RANDOM) and what was clicked into and out of it since. So it
follows the thresholds, and a link restores it: ``?set=FULL&changes=15:766``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from safeneuron.neurons import Neuron, NeuronSet, parse_neurons
from safeneuron.scores.score import ScoreTable, scores
from safeneuron.selection import changed_set, toggled, written

NAMED = ("ORI", "ES", "SAS", "FULL", "RANDOM")
OWN = "own set"
FIRST = "FULL"
DEFAULTS = {"set": FIRST, "changes": ""}
"""What is kept in the address, under these names, where it differs from these values."""
LONGEST_IN_ADDRESS = 1500
"""Characters of changes that a link still carries; about 180 neurons."""


def thresholds() -> dict[str, float]:
    """Return the threshold of every score, as the sliders of the Neurons page stand."""
    return {
        name: float(st.session_state.get(slider_key(name), score.default_threshold)) for name, score in scores().items()
    }


def slider_key(name: str) -> str:
    """Return the session key, and so the name in the address, of a score's threshold."""
    return f"tau_{name}"


def read_address() -> None:
    """Take set and thresholds from the link that opened the page, once per session."""
    if "set" in st.session_state:
        return
    for name, default in DEFAULTS.items():
        st.session_state[name] = st.query_params.get(name, default)
    for name in scores():
        value = st.query_params.get(slider_key(name))
        # For pages without the sliders; where they are drawn, Streamlit reads the address itself.
        if value is not None and slider_key(name) not in st.session_state and _is_number(value):
            st.session_state[slider_key(name)] = float(value)


def write_address() -> None:
    """Keep the set in the address, except where it is the default one."""
    for name, default in DEFAULTS.items():
        text = st.session_state[name]
        if text == default or len(text) > LONGEST_IN_ADDRESS:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != text:
            st.query_params[name] = text


def in_hand(table: ScoreTable) -> NeuronSet:
    """Return the set in hand as neurons of the model whose scores these are."""
    return _both(table)[1]


def name_in_hand() -> str:
    """Return ORI, ES, SAS, FULL, RANDOM, or "own set"."""
    return OWN if st.session_state["changes"] else st.session_state["set"]


def take(name: str) -> None:
    """Take a named set in hand, or the own set that was put aside for one."""
    present = {key: st.session_state[key] for key in DEFAULTS}
    if present["changes"]:
        st.session_state["put_aside"] = present
    wanted = st.session_state.get("put_aside", present) if name == OWN else {"set": name, "changes": ""}
    st.session_state.update(wanted)


def has_own() -> bool:
    """Return whether there is an own set, in hand or put aside."""
    return bool(st.session_state["changes"]) or "put_aside" in st.session_state


def change(neurons: Iterable[Neuron]) -> None:
    """Put those of the neurons that are not in the set into it, and take the others out."""
    before = parse_neurons(part for part in st.session_state["changes"].split(",") if part)
    st.session_state["changes"] = written(before ^ frozenset(neurons))


def click(table: ScoreTable, clicked: set[Neuron]) -> str:
    """Put clicked neurons into the set, or take them out if all are members; return what happened."""
    named, present = _both(table)
    st.session_state["changes"] = written(toggled(named, present, clicked))
    words = f"{len(clicked):,} neurons"
    if len(clicked) == 1:
        (layer, index) = next(iter(clicked))
        words = f"neuron {layer}:{index}"
    return f"Took {words} out of the set." if clicked <= present.neurons else f"Added {words} to the set."


def clicked_neurons(event: Mapping[str, Any]) -> set[Neuron]:
    """Return the neurons of a click, box or lasso on the map: x is the neuron, y its layer."""
    return {
        (round(point["y"]), round(point["x"]))
        for point in event["selection"]["points"]
        # Markers of the set lie over the points that can be clicked and answer a box a second time.
        if point.get("curve_number", 1) == 1
    }


def _both(table: ScoreTable) -> tuple[NeuronSet, NeuronSet]:
    return changed_set(st.session_state["set"], st.session_state["changes"], table, thresholds())


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
