"""The degradation curves of a run's parent and model over each other; what is missing is offered with its cost."""

import streamlit as st

from safeneuron.degradation.compared import compared_curves
from safeneuron.degradation.kept import curves_stamp, kept_curves
from safeneuron.degradation.settings import DegradationSettings
from safeneuron.degradation.start import KIND, cost, start_curve
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import GENERATING
from safeneuron.models.names import absolute
from safeneuron.plots.degradation import degradation
from safeneuron.runs import store
from safeneuron.runs.info import RunInfo
from safeneuron.ui import figure, fitting, refusal_words, run_monitor
from safeneuron.ui.choice import label


def show(parent: ModelCard, trained: ModelCard, active: RunInfo | None) -> None:
    """Draw both curves as far as they are measured.

    Parameters
    ----------
    active : RunInfo or None
        The run in progress, whichever it is.
    """
    st.subheader("Degradation curves, over each other", anchor=False, help=refusal_words.DEGRADATION)
    found = compared_curves(kept_curves(), parent.fingerprint, trained.fingerprint)
    if active is not None and active.kind == KIND:
        run_monitor.job_in_page(active, curves_stamp)
    for card, curve, key in zip((parent, trained), found.curves, ("parent", "trained"), strict=True):
        if curve is None or not curve.finished:
            _offer(card, found.settings, key)
    shown = [curve for curve in found.curves if curve is not None]
    if shown:
        figure.show(degradation(shown), key="run_degradation")
    st.caption(
        "Each model's neurons go in the order of its own scores. Curves with answers, of other scores or of a set, are "
        "measured on the Robustness page, and are drawn here once both models have them."
    )


def _offer(card: ModelCard, settings: DegradationSettings, key: str) -> None:
    fits = fitting.allowed(card, GENERATING, place=fitting.PLACES[key == "trained"])
    what = f"{'curve with answers' if settings.generated else 'quick curve'} of {label(card)}, by {settings.score}"
    st.markdown(f":material/schedule: The {what}: {cost(card, settings)}.")
    asked = any(run.active and run.parameters.get("source") == absolute(card.source) for run in store.list_runs(KIND))
    if not asked:
        run_monitor.queue_note("The curve")
    if st.button(
        f"Measure the {what}",
        key=f"start_curve_{key}",
        icon=":material/play_arrow:",
        disabled=asked or not fits,
        help="A curve of this model is measured already, or waits for its turn." if asked else None,
    ):
        with st.spinner("Starting the background process …"):
            start_curve(card, settings)
        st.rerun()
