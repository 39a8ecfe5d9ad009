"""The parts of the Overlap page, one shown at a time, and the layer that is marked in all of them."""

import streamlit as st

from safeneuron.models.catalogue import DEFAULT_MODEL
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


WORKED = {
    "Depth": "few safety neurons in the middle layers, most in the last three. ES and SAS, made of the same means, "
    "share 8 of the 105.",
    "Categories": "of the neurons in any of ten categories' sets 12 % are in all ten; two categories share 44 %, "
    "random groups of the same prompts 69 %. So there is a common core, and each harm has neurons of its own.",
    "Layers": "neighbouring layers are alike (CKA 0.95), but harm is not one direction through the model (cosine 0.06 "
    "half the depth apart). Against ordinary benign prompts a probe at layer 0 is right in 90 %, against safe twins in "
    "63 %, and from layer 21 on in 95 %: early layers know the topic, later ones the harm.",
    "Writing": "10 neurons of layer 27 write 73 % of what all 1,536 of that layer add along the refusal direction.",
    "Stability": "69 of the 105 safety neurons are found in at least 95 % of the draws; with 140 prompts of each class "
    "two sets from different prompts agree to 0.65. Read at the maximum over tokens, only 9 of the 105 are found: much "
    "hangs on where one reads.",
    "Runs": "a masked-DPO run with the standard settings keeps 86 of the 105 safety neurons (Jaccard index 0.71); its "
    "layers moved more on harmful prompts than on benign ones (mean CKA 0.975 and 0.987).",
}
"""What each part shows on the default model with the built-in prompts and its own thresholds, as measured."""
KEY = "part"
"""Name of the choice in the session and in the address, as ``?part=Layers``."""


def show(choice: Choice, active: RunInfo | None) -> None:
    """Draw the choice of the part and of the layer, the part that is chosen, and the analysis in the background."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    part = row.segmented_control("Show", list(PARTS), required=True, key=KEY)
    overlap_layer.show(row, choice)
    PARTS[part](choice, overlap_layer.marked(choice.card.n_layers))
    st.caption(f":material/school: **{DEFAULT_MODEL}, built-in prompts:** {WORKED[part]}")
    overlap_background.show(choice, active)
