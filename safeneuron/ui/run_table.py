"""The list of runs; the one chosen is shown below it."""

import time
from collections.abc import Sequence

import streamlit as st

from safeneuron.runs.info import RunInfo
from safeneuron.ui import words

MARKS = {"queued": "…", "running": "▶", "finished": "✓", "failed": "✗", "cancelled": "■"}


def run_table(runs: Sequence[RunInfo]) -> RunInfo:
    """Show the runs, newest first, and return the one to look at: the chosen, or the one just started."""
    st.subheader("Runs", anchor=False, help=words.RUN)
    rows = [
        {
            "status": f"{MARKS[info.status]} {info.status}",
            "run": info.id[:8],
            "what": info.name,
            "doing": info.step if info.status == "queued" else info.phase if info.active else "",
            "started": time.strftime("%d %b %H:%M", time.localtime(info.created)),
            "took": _took(info),
        }
        for info in runs
    ]
    event = st.dataframe(
        rows,
        hide_index=True,
        height=min(220, 38 + 35 * len(rows)),
        key="runs",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "what": st.column_config.Column(width="large"),
        },
    )
    chosen = event["selection"]["rows"]
    if chosen and chosen[0] < len(runs):
        return runs[chosen[0]]
    watched = st.session_state.get("watched")
    return next((info for info in runs if info.id == watched), runs[0])


def _took(info: RunInfo) -> str:
    if info.started is None:
        return "—"
    seconds = (info.ended or time.time()) - info.started
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
