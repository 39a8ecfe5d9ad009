"""What a run changed: the parent's bars against the trained model's, and the proof that frozen stayed frozen."""

from typing import Any

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.training.summary import run_summary, run_tables
from safeneuron.ui import answer_texts, rate_figures, training_words, words

VIEWS = {"static": "the parent's sets", "adaptive": "sets found anew"}


def run_of(card: ModelCard, other: ModelCard | None) -> str | None:
    """Return the run that made the chosen model, or the one it is compared with, if a run made either.

    A run's model spoken to in another chat format has not been evaluated by the run, and the tables that it keeps with
    every answer are those of its last round.
    """
    for found in (card, other):
        if found and found.source.startswith("run:") and not found.chat and "-" not in found.source:
            return found.source
    return None


def show(source: str) -> None:
    """Show a run's results, as far as it has any."""
    try:
        summary = run_summary(source)
    except UserError:
        st.info("The run that made this model is not in this workspace's run store, so there is no before and after.")
        return
    st.subheader(f"Before and after: {summary['name']}", anchor=False)
    _facts(summary)
    tables = run_tables(summary["run"])
    if "before" not in tables:
        st.info("The run has not come to its evaluation.")
        return
    view = st.segmented_control(
        "After the run, switch off",
        list(VIEWS),
        format_func=lambda name: VIEWS[name],
        default="static",
        required=True,
        key="after_sets",
        persist_state="session",
        help=f"{training_words.STATIC}\n\n{training_words.ADAPTIVE}",
    )
    shown = {"before": tables["before"], "after": tables.get(view)}
    shown = {name: found for name, found in shown.items() if found}
    rate_figures.show(shown, "run_bars")
    if any(found.results[0].twin_refusal is None for found in shown.values()):
        st.caption(
            "An earlier version of safeneuron made this run: half of its benign prompts are safe twins, so these bars "
            "are not those of benign prompts below."
        )
    for name, table in tables.items():
        title = "before the run" if name == "before" else f"after it, {VIEWS[name]}"
        answer_texts.browse(table.answers, f"The answers behind the bars, {title}", key=f"run_{name}")


def _facts(summary: dict[str, Any]) -> None:
    frozen, counts = summary["frozen"], summary["counts"]
    columns = st.columns(4)
    if frozen:
        columns[0].metric("Frozen slices", f"{frozen['slices']:,}", help=training_words.FROZEN)
        columns[1].metric(
            "Largest change in them", f"{frozen['max_abs_diff']:g}", help="0 means: bit for bit what they were."
        )
    if counts:
        for column, name, title in ((columns[2], "parent", "before"), (columns[3], "trained", "after")):
            column.metric(f"FULL {title}", f"{counts[name]['FULL']:,} neurons", help=words.FULL)
