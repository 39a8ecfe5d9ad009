"""Clicks, boxes and lassos on the neuron map, taken into the set in hand.

They are read at the start of the next run of the script, before anything is drawn, so that sidebar,
map and table all show the new set at once. The map then gets a new key: a selection is an event
that was dealt with, not a state that would be dealt with again at every rerun.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from safeneuron.neurons import Neuron
from safeneuron.scores.score import ScoreTable
from safeneuron.ui import hand

ADDS, ADDS_ABOVE, TAKES_OUT = "adds all", "adds those above τ", "takes out"
WAYS = (ADDS, ADDS_ABOVE, TAKES_OUT)
WAY_KEY = "box_does"
"""The session's choice of what a box or lasso does."""


def map_key() -> str:
    """Return the key under which the map is drawn now."""
    return f"neuron_map_{st.session_state.get('map_clicks', 0)}"


def apply(table: ScoreTable) -> None:
    """Take what was selected on the map since the last run into the set in hand."""
    event = st.session_state.get(map_key())
    if not event:
        return
    selection = event["selection"]
    drawn = bool(selection["box"] or selection["lasso"])
    if not (drawn or selection["points"]):
        return
    st.session_state["map_clicks"] = st.session_state.get("map_clicks", 0) + 1
    picked = _neurons(selection)
    said = _drawn(table, picked) if drawn else hand.pick(table, picked, "toggle")
    st.toast(said, icon=":material/touch_app:")


def _drawn(table: ScoreTable, picked: set[Neuron]) -> str:
    way = st.session_state.get(WAY_KEY, ADDS)
    if way == ADDS_ABOVE:
        name = st.session_state["score"]
        threshold = hand.thresholds()[name]
        picked = table.above(name, threshold, picked)
        if not picked:
            return f"No neuron in there has {name} above {threshold:.1f}; lower the threshold or let it add all."
    if not picked:
        return "There is no neuron in there; draw over the middle of a cell."
    return hand.pick(table, picked, "remove" if way == TAKES_OUT else "add")


def _neurons(selection: Mapping[str, Any]) -> set[Neuron]:
    """Return the neurons of the points that can be picked; the set's marks lie over them and answer a box too."""
    points = (point for point in selection["points"] if point["curve_number"] == 1)
    return {(round(point["y"]), _index(point)) for point in points}


def _index(point: Mapping[str, Any]) -> int:
    """Return a point's neuron: where it stands, or, where it stands for a cell of many, what it carries."""
    carried = point.get("customdata")
    return round(carried["1"] if isinstance(carried, Mapping) else point["x"])
