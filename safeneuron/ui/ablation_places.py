"""Where the parts of the Ablation page stand: controls, then the meter, then the answers, or the meter beside both."""

import streamlit as st

PARTS = ("controls", "meter", "answers_box")
# Streamlit's columns would let the answers, below the controls in one column, come before the meter on a narrow screen.
_BESIDE = """<style>
.st-key-lab {display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem 2rem}
@media (min-width: 1000px) {
  .st-key-lab {grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); grid-template-rows: auto 1fr}
  .st-key-lab > :nth-child(2) {grid-column: 2; grid-row: 1 / span 2}
  .st-key-lab > :nth-child(3) {grid-column: 1; grid-row: 2}
}
</style>"""


def places(beside: bool) -> "list[st.delta_generator.DeltaGenerator]":
    """Return the places of the controls, the meter and the answers, in the order that a narrow screen has them.

    Parameters
    ----------
    beside : bool
        Whether the meter stands beside the other two where the screen is wide enough.
    """
    if beside:
        st.html(_BESIDE)
    with st.container(key="lab" if beside else "lab_below"):
        return [st.container(key=part) for part in PARTS]
