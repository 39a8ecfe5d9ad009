"""A run's curves, and over them those of the run that made the compared model."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.plots.training_curves import CURVES, RunCurves, training_curves
from safeneuron.runs import curves, store
from safeneuron.runs.info import RunInfo
from safeneuron.ui import figure, resources
from safeneuron.ui.choice import short_name


def compared_run(other: ModelCard | None, shown: RunInfo) -> RunInfo | None:
    """Return the run that made the compared model; say so where there is none whose curves could be drawn."""
    if other is None:
        return None
    if other.chat or not other.source.startswith("run:"):
        st.caption(f"No run made {other.title}, so there are no curves of it to compare with.")
        return None
    try:
        found = store.get_run(other.source)
    except UserError:
        st.caption(f"The run that made {other.title} is not in this workspace's run store, so it has no curves here.")
        return None
    return None if found.id == shown.id else found


def show(info: RunInfo, compared: RunInfo | None) -> None:
    """Draw the curves; they are read and drawn anew only when the run has logged something since."""
    runs = [info, *([compared] if compared else [])]
    stamps = tuple((run.id, curves.metrics_stamp(run.id)) for run in runs)
    if info.active and not curves.metrics_stamp(info.id):
        st.caption("The curves of loss, reward margin and accuracy appear with the first optimiser step.")
        return
    drawn = resources.curve_figures().get(
        stamps, lambda: training_curves([_curves(run) for run in runs], max(map(_steps, runs)))
    )
    if len(drawn.data):
        figure.show(drawn, key="run_curves")


def _curves(info: RunInfo) -> RunCurves:
    found = {key: curves.metric_history(info.id, key) for key in CURVES}
    points = {key: (curve.steps, curve.values) for key, curve in found.items() if len(curve.steps)}
    return RunCurves(f"{info.name} ({short_name(info.source)})", store.run_number(info.id), points)


def _steps(info: RunInfo) -> int:
    return int(info.parameters.get("max_steps", 0))
