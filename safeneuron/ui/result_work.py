"""Getting results: at once where they are kept, otherwise offered with their cost and computed in place."""

from collections.abc import Sequence
from contextlib import ExitStack

import streamlit as st

from safeneuron import pace
from safeneuron.models.fit import SCORING
from safeneuron.scores.result import ScoreResult
from safeneuron.ui import fitting, opening, resources
from safeneuron.ui.result_menu import Wanted
from safeneuron.ui.work import long_work


def result_of(wanted: Wanted, key: str) -> ScoreResult | None:
    """Return a result, or say what it is, offer to compute it, and return None until the person asks for that.

    Parameters
    ----------
    key : str
        Of the button.
    """
    kept = resources.result_of(wanted.request)
    if kept is not None:
        return kept
    st.info(
        f"**{wanted.score.name}**, {wanted.score.title}, has not been computed yet for {wanted.card.title} on "
        f"{wanted.prompts}. {wanted.score.description}",
        icon=":material/query_stats:",
    )
    return kept_or_asked(wanted, f"Compute {wanted.score.name}", key, primary=True)


def kept_or_asked(wanted: Wanted, words: str, key: str, primary: bool = False) -> ScoreResult | None:
    """Return a result that is kept, or draw a button that computes it and return None until it is pressed.

    Parameters
    ----------
    words : str
        On the button, with the cost behind them.
    """
    kept = resources.result_of(wanted.request)
    if kept is not None:
        return kept
    fitting.require(wanted.card, SCORING)
    place = st.empty()
    asked = place.button(
        f"{words} ({pace.of_score(wanted.request, wanted.card)})",
        type="primary" if primary else "secondary",
        key=key,
        icon=":material/play_arrow:",
    )
    if asked:
        place.empty()
        _compute([wanted], key)
        st.rerun()
    return None


def offer_all(waiting: Sequence[Wanted], key: str) -> None:
    """Draw a button that computes several results of one model, sharing their passes."""
    fitting.require(waiting[0].card, SCORING)
    names = ", ".join(wanted.score.name for wanted in waiting)
    place = st.empty()
    cost = pace.of_scores([wanted.request for wanted in waiting], waiting[0].card)
    if place.button(f"Compute the others: {names} ({cost})", key=key, icon=":material/play_arrow:"):
        place.empty()
        _compute(waiting, key)
        st.rerun()


def _compute(waiting: Sequence[Wanted], key: str) -> None:
    from safeneuron.scoring import compute_scores

    first = waiting[0]
    names = ", ".join(wanted.score.name for wanted in waiting)
    with ExitStack() as stack:
        if len(waiting) == 1:
            stack.enter_context(pace.measured_score(first.request, first.card))
        progress = stack.enter_context(long_work(f"Computing {names} of {first.card.title}", key))
        compute_scores(
            [wanted.request for wanted in waiting],
            lambda: opening.opened(first.card),
            (lambda: opening.opened(first.other)) if first.other else None,
            progress,
        )
