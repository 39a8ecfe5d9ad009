"""A run's curves, and over them those of the run that made the compared model."""

from collections.abc import Sequence

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.plots.figure import Figure
from safeneuron.plots.refusals_while_training import refusals_while_training
from safeneuron.plots.training_curves import RunCurves, drawn, training_curves
from safeneuron.prompts.builtin import PANEL_PROMPTS
from safeneuron.refusal.judges.log_odds import JUDGE
from safeneuron.runs import curves, store
from safeneuron.runs.info import RunInfo
from safeneuron.training.watched import MEMORY, PEAK, SPEED, refusal_curves
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
        found = store.get_run(other.source.partition("-")[0])
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
    picture = resources.curve_figures().get(
        stamps, lambda: training_curves([_curves(run) for run in runs], max(map(_steps, runs)))
    )
    if len(picture.data):
        figure.show(picture, key="run_curves")
    refusals, speed = resources.curve_figures().get(("refusals", *stamps[:1]), lambda: _watched(info))
    if speed:
        st.caption(speed)
    if refusals:
        figure.show(refusals, key="refusal_curves")


def over_each_other(runs: Sequence[RunInfo]) -> None:
    """Draw the curves of several runs, the first one solid; those that logged none are left out."""
    logged = [info for info in runs if curves.metrics_stamp(info.id)]
    if logged:
        stamps = tuple((run.id, run.name, curves.metrics_stamp(run.id)) for run in logged)
        drawn = resources.curve_figures().get(
            stamps, lambda: training_curves([_curves(run) for run in logged], max(map(_steps, logged)))
        )
        figure.show(drawn, key="compared_curves")


def _curves(info: RunInfo) -> RunCurves:
    found = {key: curves.metric_history(info.id, key) for key in drawn(curves.metric_keys(info.id))}
    points = {key: (curve.steps, curve.values) for key, curve in found.items() if len(curve.steps)}
    return RunCurves(f"{info.name} ({short_name(info.source)})", store.run_number(info.id), points)


def _steps(info: RunInfo) -> int:
    return int(info.parameters.get("max_steps", 0)) * int(info.parameters.get("rounds", 1))


def _watched(info: RunInfo) -> tuple[Figure | None, str]:
    """Return the figure of the refusals that were measured meanwhile, if any, and speed and memory in words."""
    logged = set(curves.metric_keys(info.id)) if curves.metrics_stamp(info.id) else set()
    found = {
        name: (curve.steps, curve.values)
        for key, name in refusal_curves().items()
        if key in logged and len((curve := curves.metric_history(info.id, key)).steps)
    }
    refusals = refusals_while_training(found, PANEL_PROMPTS, JUDGE.name, _steps(info)) if found else None
    units = {SPEED: "{:,.0f} tokens per second", MEMORY: "{:,.0f} MB of memory", PEAK: "{:,.0f} MB at most on the GPU"}
    values = {key: curves.metric_history(info.id, key).values for key in units if key in logged}
    words = [text.format(values[key][-1]) for key, text in units.items() if key in values]
    return refusals, f"Last step: {', '.join(words)}." if words else ""
