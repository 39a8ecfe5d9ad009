"""The whole analysis as a background run: for models whose reading takes longer than one waits at a page."""

import time

import streamlit as st

from safeneuron.models.fit import SCORING, require_fit
from safeneuron.models.parity_report import refuse_if_red
from safeneuron.overlap.analysis import prompts_left
from safeneuron.overlap.material import material_of
from safeneuron.overlap.start import KIND, NOT_COMPARED, Models, cost, start_analysis
from safeneuron.runs import store
from safeneuron.runs.info import RunInfo
from safeneuron.ui import hand, overlap_material, overlap_runs, overlap_words, run_monitor
from safeneuron.ui.choice import Choice

PARTS = {
    "categories": "Categories",
    "layers": "Layers",
    "writing": "Writing",
    "stability": "Stability",
    "variations": "Other wordings and system prompts",
    "runs": "Runs",
}
"""What can be read and compared in the background, by name; depth needs the scores alone."""
TOLD_SECONDS = 3600
"""How long it is told how the last one ended."""


def show(choice: Choice, active: RunInfo | None) -> None:
    """Show the analysis that is in progress, and offer to start one."""
    going = active is not None and active.kind == KIND
    last = _how_the_last_ended()
    with st.expander("All parts in the background", expanded=going or bool(last), icon=":material/manufacturing:"):
        prompts, pooling = st.session_state["prompts"], st.session_state["pooling"]
        own = (choice.card, material_of(choice.card.fingerprint, pooling, prompts))
        if going:
            run_monitor.job_in_page(active, lambda: prompts_left(*own, PARTS, first=True))
            return
        others = overlap_runs.compared(choice)
        offered = [name for name in PARTS if others or name != "runs"]
        chosen = st.pills(
            "Parts",
            offered,
            selection_mode="multi",
            default=[name for name in offered if name != "variations"],
            format_func=PARTS.get,
            key="overlap_job_parts",
            help=overlap_words.OVERLAP_JOB,
        )
        parts = [name for name in offered if name in chosen]
        if not parts:
            st.caption("Choose at least one part.")
            return
        cards = others if "runs" in parts else []
        models = [own, *((card, material_of(card.fingerprint, pooling, prompts)) for card in cards)]
        st.markdown(f":material/schedule: {prompts}, read at {pooling}: {cost(models, parts)}.")
        for sentence in last:
            st.caption(f":material/info: {sentence}")
        if st.button("Start in the background", key="overlap_start", icon=":material/play_arrow:"):
            _start(models, parts)


def _how_the_last_ended() -> list[str]:
    """Return what should be known of the analysis that ended last: it stopped, or its prompts did not allow parts."""
    last = next(iter(store.list_runs(KIND)), None)
    if last is None or last.active or time.time() - (last.ended or 0.0) > TOLD_SECONDS:
        return []
    if last.status != "finished":
        words = f"failed: {last.message}" if last.status == "failed" else f"was {last.status}."
        return [f"The last one {words} What it read is kept, and starting again goes on from there."]
    if not store.has_artifact(last.id, f"{NOT_COMPARED}.json"):
        return []
    refused = store.get_json(last.id, NOT_COMPARED)
    return [f"The last one could not compare {PARTS[name]}: {sentence}" for name, sentence in refused.items()]


def _start(models: Models, parts: list[str]) -> None:
    with overlap_material.said():
        for card, _ in models:
            refuse_if_red(card)
            require_fit(card, SCORING)
        with st.spinner("Starting the background process …"):
            start_analysis(models, parts, hand.thresholds())
        st.rerun()
