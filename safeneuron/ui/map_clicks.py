"""Clicks, boxes and lassos on the neuron map, taken into the set in hand or to the neuron shown.

They are read at the start of the next run of the script, before anything is drawn, so that sidebar,
map and table all show the same. After a box the map gets a new key: a selection is an event that was
dealt with, not a state that would be dealt with again at every rerun.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from safeneuron.neurons import Neuron
from safeneuron.plots.map_cells import Cells
from safeneuron.scores.score import ScoreTable
from safeneuron.shown import Shown
from safeneuron.threshold_steps import threshold_words
from safeneuron.ui import chosen_neuron, hand

CHANGES, SHOWS = "changes the set", "shows its card"
ACTIONS = (CHANGES, SHOWS)
ACTION_KEY = "click_does"
"""The session's choice of what a click does."""
ADDS, ADDS_ABOVE, TAKES_OUT = "adds all", "adds those above τ", "takes out"
WAYS = (ADDS, ADDS_ABOVE, TAKES_OUT)
WAY_KEY = "box_does"
"""The session's choice of what a box or lasso does."""
CELLS = "map_cells"
"""In the session: the cells of the map as it was drawn last."""
SHOWN = "map_shown"
"""In the session: what the map showed when it was drawn last."""
_WAITING, _LAST = "clicks_waiting", "last_click"


def map_key() -> str:
    """Return the key under which the map is drawn now."""
    return f"neuron_map_{st.session_state.get('map_clicks', 0)}"


def hear(clicks: Sequence[Mapping[str, Any]]) -> None:
    """Keep the clicks that were not heard yet, until the page runs again.

    Parameters
    ----------
    clicks : sequence of mapping
        The latest, each with its ``number``, ``layer``, ``neuron``, and whether with ``shift``.
    """
    last = st.session_state.get(_LAST, 0)
    new = [click for click in clicks if click["number"] > last]
    if new:
        st.session_state[_LAST] = new[-1]["number"]
        st.session_state[_WAITING] = st.session_state.get(_WAITING, []) + new


def waiting() -> bool:
    """Return whether there are clicks that the page has not dealt with."""
    return bool(st.session_state.get(_WAITING))


def apply(table: ScoreTable) -> None:
    """Take what was clicked or drawn on the map since the last run into the set in hand."""
    said = [_clicked(table, click) for click in st.session_state.pop(_WAITING, [])]
    selection = (st.session_state.get(map_key()) or {}).get("selection")
    outlines = [*selection["box"], *selection["lasso"]] if selection else []
    if outlines:
        st.session_state["map_clicks"] = st.session_state.get("map_clicks", 0) + 1
        said.append(_drawn(table, outlines, st.session_state[CELLS]))
    for text in said:
        st.toast(text, icon=":material/touch_app:")


def _clicked(table: ScoreTable, click: Mapping[str, Any]) -> str:
    neuron = int(click["layer"]), int(click["neuron"])
    chosen_neuron.choose(neuron)
    # With Shift, several are clicked one after the other: into the set or out of it, whatever a click else does.
    if not click["shift"] and st.session_state.get(ACTION_KEY, CHANGES) == SHOWS:
        return f"The card of neuron {neuron[0]}:{neuron[1]} is open below the map."
    return hand.pick(table, {neuron}, "toggle")


def _drawn(table: ScoreTable, outlines: Sequence[Mapping[str, Any]], cells: Cells) -> str:
    picked: set[Neuron] = set().union(*(cells.inside(outline["x"], outline["y"]) for outline in outlines))
    way = st.session_state.get(WAY_KEY, ADDS)
    if way == ADDS_ABOVE:
        shown: Shown = st.session_state[SHOWN]
        if shown.threshold is None:
            return "A difference has no threshold; let the box add all neurons in it."
        picked = shown.above(picked)
        if not picked:
            return (
                f"No neuron in there has {shown.name} above {threshold_words(shown.threshold)}; lower the threshold or "
                "let it add all."
            )
    if not picked and any(len(set(outline["x"])) == 1 for outline in outlines):
        # Plotly tells of a narrower one only where it begins.
        return "That is less than 8 pixels wide, so it does not say which neurons; draw it wider, or look closer first."
    if not picked:
        return "There is no neuron in there; draw over the middle of a cell."
    return hand.pick(table, picked, "remove" if way == TAKES_OUT else "add")
