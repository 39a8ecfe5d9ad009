"""The list of runs; the one chosen is shown below it."""

import time
from collections.abc import Sequence

import streamlit as st

from safeneuron.runs.info import RunInfo
from safeneuron.ui import words

WATCHED = "watched"
"""Key of the id of the run that is looked at."""
MARKS = {"queued": "…", "running": "▶", "finished": "✓", "failed": "✗", "cancelled": "■"}


def run_table(runs: Sequence[RunInfo]) -> RunInfo:
    """Show the runs, newest first, and return the one to look at: chosen, just started, or at first the newest.

    Whatever is shown stays shown when another run comes, since buttons below it act on that one.
    """
    st.subheader("Runs", anchor=False, help=words.RUN)
    rows = [
        {
            "status": f"{MARKS[info.status]} {info.status}",
            "run": info.id[:8],
            "what": info.name,
            "started": time.strftime("%d %b %H:%M", time.localtime(info.created)),
            "took": _took(info),
            "doing": info.step if info.status == "queued" else info.phase if info.active else "",
        }
        for info in runs
    ]
    ids = [info.id for info in runs]
    watched = st.session_state.get(WATCHED, ids[0])
    if watched not in ids:
        st.toast(f"The run {watched[:8]} that was shown here was deleted.", icon=":material/delete:")
        del st.session_state[WATCHED]
        # Anew, without the click that was meant for the run that is gone.
        st.rerun()
    at = ids.index(watched)
    event = st.dataframe(
        rows,
        hide_index=True,
        height=min(220, 38 + 35 * len(rows)),
        # Rows are chosen by number, and another dashboard's run on top moves them all: then it is another table.
        key=f"runs_{len(runs)}_{runs[0].id}",
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [at]}},
        column_config={
            "what": st.column_config.Column(width=340),
            "doing": st.column_config.Column(width="large"),
        },
    )
    (chosen,) = event["selection"]["rows"]
    st.session_state[WATCHED] = ids[chosen]
    return runs[chosen]


def _took(info: RunInfo) -> str:
    if info.started is None:
        return "—"
    seconds = (info.ended or time.time()) - info.started
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
