"""What moved from the chosen model to others of its shape: which safety neurons stay, and how far the layers drift."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.overlap.material import STREAM, Material, material_of
from safeneuron.overlap.moved import Moved, moved
from safeneuron.overlap.readings_of_change import read_moved
from safeneuron.plots.drift import drift_by_layer
from safeneuron.plots.kept_by_layer import kept_by_layer
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.ui import hand, overlap_layer, overlap_material, overlap_words
from safeneuron.ui.choice import Choice, card_of, label, other_names, short_name
from safeneuron.workspace import workspace

NEEDED = (ACTIVATIONS, STREAM)
MOST = 5
"""Models compared at a time; there are as many colours."""
_KEY = "overlap_others"


def show(choice: Choice, layer: int | None) -> None:
    """Draw what each of several models keeps of the chosen one's safety neurons, and how far its layers drifted."""
    material = overlap_material.chosen(choice.card, pooled=False)
    cards = compared(choice)
    if not other_names(choice.card):
        st.info(
            "There is no other model of this shape yet. Train one on the Training page, and it can be compared here.",
            icon=":material/model_training:",
        )
        return
    st.multiselect(
        "Compare the chosen model with",
        other_names(choice.card),
        default=[short_name(card.source) for card in cards],
        key=_key(choice),
        max_selections=MOST,
        persist_state="session",
        help=overlap_words.OVERLAP_RUNS,
    )
    cards = compared(choice)
    if not cards:
        st.caption("Choose at least one model.")
        return
    if not overlap_material.read(choice.card, material, NEEDED):
        return
    theirs = {card.fingerprint: material_of(card.fingerprint, prompts=st.session_state["prompts"]) for card in cards}
    ready = [card for card in cards if not theirs[card.fingerprint].prompts_to_read(NEEDED)]
    with overlap_material.said():
        if ready:
            _draw(choice, material, ready, theirs, layer)
    for card in cards:
        if card not in ready:
            # One at a time: the next is offered when this one is read.
            overlap_material.read(card, theirs[card.fingerprint], NEEDED)
            break


def compared(choice: Choice) -> list[ModelCard]:
    """Return the models that are compared: as chosen on this page, else that of the sidebar, else the newest runs."""
    offered = other_names(choice.card)
    chosen = st.session_state.get(_key(choice))
    if chosen is None:
        of_the_sidebar = [short_name(choice.other.source)] if choice.other else []
        runs = [name for name in offered if name.startswith("run:") and "#" not in name]
        chosen = of_the_sidebar or runs[-3:]
    return [card_of(name) for name in chosen if name in offered]


def _key(choice: Choice) -> str:
    # A menu of its own for each model, since the others are offered by its shape.
    return f"{_KEY}_{choice.card.fingerprint}_{choice.other.fingerprint if choice.other else ''}"


def _draw(
    choice: Choice, material: Material, cards: list[ModelCard], theirs: dict[str, Material], layer: int | None
) -> None:
    others = {short_name(card.source): theirs[card.fingerprint] for card in cards}
    titles = {short_name(card.source): card.title for card in cards}
    thresholds = hand.thresholds()
    key = ("moved", str(workspace()), material.fingerprint, *thresholds.items())
    key = (*key, *(found.fingerprint for found in others.values()))
    found = overlap_material.results().get(key, lambda: moved(material, others, thresholds))
    st.markdown(read_moved(found))
    st.dataframe(
        [_row(one, titles[one.title]) for one in found],
        hide_index=True,
        column_config={
            "Jaccard index": st.column_config.NumberColumn(format="%.2f"),
            "by chance": st.column_config.NumberColumn(format="%.4f", help=overlap_words.CHANCE),
            "p": st.column_config.NumberColumn(format="%.1e", help=overlap_words.CHANCE),
            "mean depth": st.column_config.NumberColumn(format="%.2f"),
            **{
                name: st.column_config.NumberColumn(format="%.3f", help=overlap_words.OVERLAP_RUNS)
                for name in ("CKA, harmful", "CKA, benign", "direction's cosine")
            },
        },
    )
    overlap_layer.clickable(kept_by_layer(found, layer), key="overlap_kept")
    overlap_layer.clickable(drift_by_layer(found, label(choice.card), layer), key="overlap_drift")


def _row(one: Moved, title: str) -> dict[str, str | float | None]:
    overlap = one.overlap
    means = zip(("CKA, harmful", "CKA, benign", "direction's cosine"), one.means, strict=True)
    return {
        "model": one.title,
        "which is": title,
        "safety neurons": one.own.total,
        "kept": None if overlap is None else f"{overlap.total_shared:,} of {one.base.total:,}",
        "Jaccard index": None if overlap is None else overlap.whole_jaccard,
        "by chance": None if overlap is None else overlap.whole.jaccard,
        "p": None if overlap is None else overlap.whole.p,
        "mean depth": one.own.centre,
    } | dict(means)
