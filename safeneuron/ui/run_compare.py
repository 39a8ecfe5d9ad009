"""Runs beside each other: where their settings differ, their curves over each other, their rates."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from safeneuron.runs.info import UNREADABLE, RunInfo
from safeneuron.training.comparing import run_comparison
from safeneuron.ui import run_curves

TABLES = {"before": "before", "static": "after, same sets", "adaptive": "after, sets found again"}


def section(runs: Sequence[RunInfo], shown: RunInfo) -> None:
    """Draw the comparison of the run shown with those that are chosen here."""
    others = {info.id: info for info in runs if info.id != shown.id and info.kind != UNREADABLE}
    if not others or shown.kind == UNREADABLE:
        return
    with st.expander("Compare with other runs", icon=":material/compare_arrows:"):
        chosen = st.multiselect(
            "Runs",
            list(others),
            format_func=lambda run: f"{others[run].name} ({run[:8]})",
            key="compared_runs",
            placeholder="Choose one or more",
        )
        if not chosen:
            st.caption("Choose runs to see which settings differ, their curves over each other, and their rates.")
            return
        picked = [shown, *(others[run] for run in chosen)]
        found = run_comparison([info.id for info in picked])
        st.dataframe(found["runs"], hide_index=True)
        if found["settings"]:
            st.markdown("**Settings that differ**")
            st.dataframe(pd.DataFrame(found["settings"]).astype(str), hide_index=True)
        else:
            st.caption("They have the same settings.")
        run_curves.over_each_other(picked)
        if found["rates"]:
            st.markdown("**Refusal rates** on harmful and on benign prompts")
            st.dataframe(_rates(found["rates"]), hide_index=True)
        else:
            st.caption("None of them has been evaluated yet.")


def _rates(rows: Sequence[dict]) -> pd.DataFrame:
    """Return a row per table and condition, with a column for each run."""
    frame = pd.DataFrame(rows)
    frame["evaluation"] = frame["table"].map(TABLES)
    frame["rate"] = [
        f"{row['refusal_rate']:.1%} [{row['interval'][0]:.1%}, {row['interval'][1]:.1%}] n = {row['n']} · "
        f"benign {row['benign_refusal_rate']:.1%} · {row['judge']}"
        for row in rows
    ]
    by = ["evaluation", "condition"]
    wide = frame.pivot(index=by, columns="run", values="rate")
    order = frame[by].drop_duplicates()
    columns = list(frame["run"].drop_duplicates())
    return wide.loc[list(order.itertuples(index=False, name=None)), columns].fillna("—").reset_index()
