"""The answers behind a rate, folded until opened, so that a person can check the count."""

import pandas as pd
import streamlit as st

from safeneuron.ui import refusal_words

COLUMNS = {
    "prompt": st.column_config.TextColumn(width="medium"),
    "answer": st.column_config.TextColumn(width="large"),
    "verdict": st.column_config.TextColumn(width="small", help=refusal_words.VERDICT),
    "refused": st.column_config.CheckboxColumn(width="small"),
    "because": st.column_config.TextColumn("decided by", width="small"),
    "overruled": st.column_config.TextColumn("the judge had said", width="small", help=refusal_words.OVERRULE),
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
        # Runs of earlier versions kept no more than refused or not.
        shown = ["prompt", "answer", "verdict" if "verdict" in chosen else "refused", "because"]
        if "overruled" in chosen and chosen["overruled"].notna().any():
            shown.append("overruled")
        st.dataframe(
            chosen[shown].astype({"because": object}).fillna({"because": ""}),
            hide_index=True,
            column_config=COLUMNS,
            key=f"{key}_rows",
            row_height=70,
        )
