"""The models of its shape that the chosen one is compared with, and what of it moved in them."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.overlap.material import material_of
from safeneuron.ui import overlap_material, overlap_words
from safeneuron.ui.choice import Choice, card_of, other_names, short_name
from safeneuron.ui.overlap_moved import KINDS, Beside

MOST = 5
"""Models compared at a time; there are as many colours."""
_KEY = "overlap_others"


def show(choice: Choice, layer: int | None) -> None:
    """Draw which models are compared and what may have moved, and what did."""
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
    kind = KINDS[
        st.segmented_control(
            "What moved",
            list(KINDS),
            default=next(iter(KINDS)),
            required=True,
            key="overlap_moved",
            persist_state="session",
        )
    ]
    if not overlap_material.read(choice.card, material, kind.needs):
        return
    theirs = {card: material_of(card.fingerprint, prompts=st.session_state["prompts"]) for card in cards}
    ready = {card: found for card, found in theirs.items() if not found.prompts_to_read(kind.needs)}
    with overlap_material.said():
        if ready:
            others = {short_name(card.source): found for card, found in ready.items()}
            kind.draw(Beside(choice.card, material, tuple(ready), others, layer))
    for card, found in theirs.items():
        if card not in ready:
            # One at a time: the next is offered when this one is read.
            overlap_material.read(card, found, kind.needs)
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
