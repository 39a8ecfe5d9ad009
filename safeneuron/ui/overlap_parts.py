"""The parts of the Overlap page, one shown at a time, and the layer that is marked in all of them."""

import streamlit as st

from safeneuron.runs.info import RunInfo
from safeneuron.ui import (
    overlap_background,
    overlap_categories,
    overlap_depth,
    overlap_layer,
    overlap_layers,
    overlap_runs,
    overlap_stability,
    overlap_writing,
)
from safeneuron.ui.choice import Choice

PARTS = {
    "Depth": overlap_depth.show,
    "Categories": overlap_categories.show,
    "Layers": overlap_layers.show,
    "Writing": overlap_writing.show,
    "Stability": overlap_stability.show,
    "Runs": overlap_runs.show,
}

KEY = "part"
"""Name of the choice in the session and in the address, as ``?part=Layers``."""


def show(choice: Choice, active: RunInfo | None) -> None:
    """Draw the choice of the part and of the layer, the part that is chosen, and the analysis in the background."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    part = row.segmented_control("Show", list(PARTS), required=True, key=KEY)
    overlap_layer.show(row, choice)
    PARTS[part](choice, overlap_layer.marked(choice.card.n_layers))
    overlap_background.show(choice, active)
