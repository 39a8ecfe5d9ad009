"""Robustness: whether refusals survive when neurons are switched off, before and after a run, few or many."""

import streamlit as st

from safeneuron.degradation.start import KIND as CURVE
from safeneuron.models.fit import GENERATING
from safeneuron.pruning.start import KIND as PRUNING
from safeneuron.ui import (
    fitting,
    opening,
    robustness_attack,
    robustness_bars,
    robustness_curve,
    robustness_pruning,
    robustness_run,
    run_monitor,
)
from safeneuron.ui.page import page

active = run_monitor.active_run()
with page("Robustness", monitor=active is None or active.kind not in (CURVE, PRUNING)) as choice:
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
    # Asked once for the whole page, since everything on it generates answers.
    fits = fitting.allowed(choice.card, GENERATING)
    robustness_bars.show(choice, fits)
    st.divider()
    robustness_attack.show(choice, fits)
    st.divider()
    robustness_curve.show(choice, active, fits)
    st.divider()
    robustness_pruning.show(choice, active, fits)
