"""The layer that is looked at on the Overlap page: picked in one plot, marked in all, and a way to map and lab.

Clicks are read at the start of the next run, before anything is drawn, so that all plots show the same.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import streamlit as st

from safeneuron.overlap.depth import in_layer
from safeneuron.score_frames import strongest_members
from safeneuron.ui import address, chosen_neuron, figure, hand, overlap_words
from safeneuron.ui.choice import Choice

KEY = "layer"
"""Name of the choice in the session, a layer or None, and in the address, as ``?layer=27``."""
_TOOLS = {
    # Only while the pointer is there, since it lies over the legend; boxes and lassos pick no layer.
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "resetScale2d"],
}
_CHARTS, _SEEN = "overlap_charts", "overlap_clicks_seen"


def marked(n_layers: int) -> int | None:
    """Return the layer that is looked at, if a model of so many layers has it."""
    layer = st.session_state.get(KEY)
    return layer if layer is not None and layer < n_layers else None


def show(row: st.delta_generator.DeltaGenerator, choice: Choice) -> None:
    """Draw the menu of layers and, where one is chosen, the ways to its neurons."""
    _hear(choice.card.n_layers)
    if st.session_state[KEY] is not None and marked(choice.card.n_layers) is None:
        # Of a model with more layers.
        st.session_state[KEY] = None
        address.write()
    layer = row.selectbox(
        "Layer",
        range(choice.card.n_layers),
        key=KEY,
        index=None,
        placeholder="none",
        help=overlap_words.OVERLAP_LAYER,
        width=110,
    )
    if layer is None:
        return
    found = in_layer(choice.sets["FULL"], layer)
    if row.button(
        "On the map",
        key="overlap_to_map",
        icon=":material/grid_on:",
        disabled=not found.neurons,
        help=f"Opens the Neurons page at the strongest of this layer's {len(found)} safety neurons (FULL).",
    ):
        strongest = strongest_members(choice.table, found, 1).iloc[0]
        chosen_neuron.choose_and_show((int(strongest["layer"]), int(strongest["neuron"])))
        st.switch_page("pages/neurons.py")
    if row.button(
        "Switch off",
        key="overlap_to_lab",
        icon=":material/toggle_off:",
        disabled=not found.neurons,
        help=f"Takes this layer's {len(found)} safety neurons (FULL) in hand and opens the Ablation page.",
    ):
        hand.replace(found)
        st.switch_page("pages/ablation.py")


def clickable(drawn: figure.Figure, key: str, layer_of: Callable[[Mapping[str, Any]], float] = itemgetter("x")) -> None:
    """Draw a figure in which a click picks a layer.

    Parameters
    ----------
    layer_of : callable
        The layer of a point that was clicked; what stands on the x axis by default.
    """
    st.session_state.setdefault(_CHARTS, {})[key] = layer_of
    figure.show(drawn, key=key, selectable=True, config=_TOOLS)


def _hear(n_layers: int) -> None:
    """Take the layer that was clicked last, once for each click."""
    seen: dict[str, Any] = st.session_state.setdefault(_SEEN, {})
    for key, layer_of in st.session_state.get(_CHARTS, {}).items():
        points = ((st.session_state.get(key) or {}).get("selection") or {}).get("points") or []
        layer = layer_of(points[0]) if points else None
        if layer != seen.get(key):
            seen[key] = layer
            if layer is not None and 0 <= int(layer) < n_layers:
                st.session_state[KEY] = int(layer)
                # The page wrote it before, of the layer until now.
                address.write()
