"""Robustness: whether refusals survive when neurons are switched off, before and after a run."""

import streamlit as st

from safeneuron.ui import opening, robustness_bars, robustness_run
from safeneuron.ui.page import page

with page("Robustness") as choice:
    st.markdown(
        "Refusals with nothing switched off (ORI), with the safety neurons off (ES, SAS, FULL), and with as many "
        "random ones (RANDOM). A robust model refuses under all five."
    )
    if choice.table is None:
        opening.need_scores(choice.card)
    run = robustness_run.run_of(choice.card, choice.other)
    if run:
        robustness_run.show(run)
        st.divider()
    robustness_bars.show(choice)
