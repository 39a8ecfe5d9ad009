"""Overlap: where safety sits in the layers, what harm categories share, and how the layers' representations overlap."""

import streamlit as st

from safeneuron.overlap.start import KIND
from safeneuron.ui import opening, overlap_parts, overlap_words, run_monitor
from safeneuron.ui.page import page

active = run_monitor.active_run()
with page("Overlap", monitor=active is None or active.kind != KIND) as choice:
    st.markdown(
        "Does one small set of neurons carry safety whatever the harm, or has each harm its own? In which layers do "
        "they lie, and do the layers share one picture of harm?",
        help=overlap_words.OVERLAP,
    )
    if choice.table is None:
        opening.need_scores(choice.card)
    overlap_parts.show(choice, active)
