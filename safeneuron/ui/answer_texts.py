"""The answers behind a rate, folded until opened, so that a person can check the count."""

import pandas as pd
import streamlit as st

COLUMNS = {
    "prompt": st.column_config.TextColumn(width="medium"),
    "answer": st.column_config.TextColumn(width="large"),
    "refused": st.column_config.CheckboxColumn(width="small"),
    "because": st.column_config.TextColumn("deciding phrase", width="small"),
}


def browse(answers: pd.DataFrame, label: str, key: str) -> None:
    """Show a table of answers, one condition and kind of prompt at a time."""
    with st.expander(label, icon=":material/notes:"):
        left, right = st.columns(2)
        condition = left.segmented_control(
            "Switched off",
            list(dict.fromkeys(answers["condition"])),
            default="FULL",
            required=True,
            key=f"{key}_condition",
        )
        kind = right.segmented_control(
            "Prompts",
            list(dict.fromkeys(answers["kind"])),
            format_func=lambda name: {"twin": "safe twins"}.get(name, name),
            default="harmful",
            required=True,
            key=f"{key}_kind",
        )
        chosen = answers[(answers["condition"] == condition) & (answers["kind"] == kind)]
        st.dataframe(
            chosen[["prompt", "answer", "refused", "because"]],
            hide_index=True,
            column_config=COLUMNS,
            key=f"{key}_rows",
            row_height=70,
        )
