"""Getting what a page needs before it can work: the model in memory, and its scores.

Each is done in place, with its cost stated first, its steps shown, and a way to stop.
"""

from typing import TYPE_CHECKING

import streamlit as st

from safeneuron import duration, pace
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import LOADING, SCORING
from safeneuron.models.parity_report import kept_parity, refuse_if_red
from safeneuron.ui import fitting, resources, self_check
from safeneuron.ui.work import asked, begun, long_work

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


def opened(card: ModelCard) -> "LoadedModel":
    """Return the model, opened and self-checked if it was not yet.

    Raises
    ------
    UserError
        When it fails its self-check, so that its numbers must not be shown.
    """
    loaded = opened_unchecked(card)
    if kept_parity(card.fingerprint) is None:
        check(loaded)
    refuse_if_red(card)
    return loaded


def check(loaded: "LoadedModel") -> None:
    """Run a model's self-check as a named step, and let the sidebar say what came of it."""
    title = f"Checking {loaded.card.title} (once)"
    with long_work(title, f"check_{loaded.fingerprint}", resumes=False) as progress:
        progress("Comparing three ways of switching neurons off, on padded prompts", 0.1)
        from safeneuron.models.parity import check_parity

        with pace.measured("self-check", 1, loaded.card):
            check_parity(loaded)
    self_check.draw_badge_again(loaded.card)


def opened_unchecked(card: ModelCard) -> "LoadedModel":
    """Return the model, opened if it is not in memory; if it has to be fetched first, ask and end the page."""
    held = resources.shelf().held(card)
    if held is not None:
        return held
    # Before the offer: what does not fit should not be converted for minutes first.
    fitting.require(card, LOADING)
    if not card.ready and not offer_to_prepare(card):
        st.stop()
    title = f"{'Opening' if card.ready else 'Preparing'} {card.title}"
    with long_work(title, f"open_{card.fingerprint}", resumes=False) as progress:
        # Only that step: fetching, converting and waiting for others are no part of what opening takes next time.
        timed = pace.timing(progress, "Opening the model", "opening", int(card.ready), card)
        loaded = resources.shelf().get(card, timed)
    if not card.ready:
        # What the sidebar says of the model is no longer true.
        st.rerun()
    return loaded


def offer_to_prepare(card: ModelCard) -> bool:
    """Say what preparing the model costs, and return whether the person asked for it now."""
    place = st.empty()
    with place.container():
        st.info(
            f"**{card.title}** is not prepared on this machine yet. {card.cost}",
            icon=":material/download:",
        )
        pressed = st.button("Prepare", type="primary", key="prepare", icon=":material/download:")
    if pressed:
        place.empty()
    return pressed


def need_scores(card: ModelCard) -> None:
    """Offer to score the model's neurons, and end the page until they are there."""
    fitting.require(card, SCORING)
    cost = duration.of_scoring(card, resources.shelf().holds(card))
    st.info(
        f"The neurons of **{card.title}** have not been scored yet. Scoring reads their activations on the "
        f"built-in harmful and benign prompts, once ({cost}).",
        icon=":material/query_stats:",
    )
    if not asked(
        f"score {card.fingerprint}",
        "Score the neurons",
        "score_neurons",
        type="primary",
        icon=":material/query_stats:",
    ):
        st.stop()
    loaded = opened(card)
    from safeneuron.scoring import score_table

    begun()
    with pace.measured("scoring", 1, card), long_work("Scoring the neurons", "scoring") as progress:
        score_table(loaded, progress=progress)
    st.rerun()
