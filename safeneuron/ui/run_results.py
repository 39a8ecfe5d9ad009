"""What a run has changed, as far as it has come: first, in one picture, where safety sits and what refuses without."""

from collections.abc import Sequence

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import catalogue
from safeneuron.plots.moved import moved
from safeneuron.plots.set_flow import set_flow_figure
from safeneuron.runs.info import RunInfo
from safeneuron.sets.flow import set_flow
from safeneuron.training.stages import Stage, stages
from safeneuron.ui import figure, run_degradation, run_maps, training_words
from safeneuron.ui.choice import card_of, short_name

PAGES = {
    "neurons": ("Map of its model, and the difference", ":material/grid_on:"),
    "ablation": ("Switch neurons off in both", ":material/toggle_off:"),
    "overlap": ("Overlap of their safety neurons", ":material/join_inner:"),
    "robustness": ("Bars and answers, before and after", ":material/bar_chart:"),
}


def show(info: RunInfo, active: RunInfo | None) -> None:
    """Draw what a run has changed.

    Parameters
    ----------
    info : RunInfo
    active : RunInfo or None
        The run in progress, whichever it is.
    """
    try:
        found = stages(info.id)
    except UserError as error:
        st.caption("What it changes is drawn here once it has found the safety neurons." if info.active else str(error))
        return
    st.subheader("What the run changed", anchor=False, help=training_words.MOVED)
    figure.show(moved(found, info.name), key="moved")
    if len(found) < 2:
        st.caption("The rows of the trained model, and everything below, come once its first round has ended.")
        return
    figure.show(set_flow_figure(set_flow([one.found for one in found]), [one.title for one in found]), key="set_flow")
    cards = _cards(info, found)
    if info.active and cards[0] and not cards[-1]:
        st.caption("Maps and curves of its model come once the run has ended.")
        return
    if cards[-1] is None or cards[0] is None:
        missing = "parent" if cards[0] is None else "model"
        st.caption(f"The run's {missing} is not in this workspace, or not ready, so there are no maps or curves of it.")
        return
    _links(cards[0], cards[-1])
    run_maps.show(info, found, cards)
    run_degradation.show(cards[0], cards[-1], active)


def _cards(info: RunInfo, found: Sequence[Stage]) -> list[ModelCard | None]:
    """Return the cards of the stages' models, None for one that is not here or has changed since."""
    known = {card.fingerprint: card for card in catalogue()}
    try:
        parent = card_of(str(info.parameters["model"]))
        known[parent.fingerprint] = parent
    except (UserError, KeyError):
        # Its folder was moved, or lies where the pages may not look.
        pass
    return [known.get(stage.model) for stage in found]


def _links(parent: ModelCard, trained: ModelCard) -> None:
    """Link to the other pages, with the trained model chosen and its parent to compare with."""
    chosen = {"model": short_name(trained.source), "compare": short_name(parent.source)}
    with st.container(horizontal=True):
        for page, (label, icon) in PAGES.items():
            st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params=chosen, width="content")
