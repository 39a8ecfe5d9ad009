"""Clicks, boxes and lassos on the neuron map, taken into the set in hand.

They are read at the start of the next run of the script, before anything is drawn, so that sidebar,
map and table all show the new set at once. The map then gets a new key: a selection is an event
that was dealt with, not a state that would be dealt with again at every rerun.
"""

import streamlit as st

from safeneuron.scores.score import ScoreTable
from safeneuron.ui import hand

ABOVE, ALL = "above τ", "all"
TAKES_KEY = "box_takes"


def map_key() -> str:
    """Return the key under which the map is drawn now."""
    return f"neuron_map_{st.session_state.get('map_clicks', 0)}"


def apply(table: ScoreTable) -> None:
    """Take what was selected on the map since the last run into the set in hand."""
    event = st.session_state.get(map_key())
    if not event or not event["selection"]["points"]:
        return
    st.session_state["map_clicks"] = st.session_state.get("map_clicks", 0) + 1
    clicked = hand.clicked_neurons(event)
    boxed = len(clicked) > 1
    if boxed and st.session_state.get(TAKES_KEY, ABOVE) == ABOVE:
        name = st.session_state["score"]
        threshold = hand.thresholds()[name]
        clicked = table.above(name, threshold, clicked)
        if not clicked:
            st.toast(f"No neuron in the box has {name} above {threshold:.1f}; lower the threshold or take all.")
            return
    st.toast(hand.click(table, clicked), icon=":material/touch_app:")
