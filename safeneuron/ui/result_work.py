"""Getting results: at once where they are kept, otherwise offered with their cost and computed in place."""

from collections.abc import Sequence
from contextlib import ExitStack

import streamlit as st

from safeneuron import duration
from safeneuron.models.fit import SCORING
from safeneuron.scores.result import ScoreResult
from safeneuron.ui import fitting, opening, resources, work
from safeneuron.ui.choice import label
from safeneuron.ui.result_menu import Wanted, title


def result_of(wanted: Wanted, key: str, needed: bool = True) -> ScoreResult | None:
    """Return a result, or say what it is, offer to compute it, and return None until the person asks for that.

    Parameters
    ----------
    key : str
        Of the button.
    needed : bool
        Whether the page ends here where the model does not fit into memory; otherwise the button only says so.
    """
    kept = resources.result_of(wanted.request)
    if kept is not None:
        return kept
    st.info(
        f"**{title(wanted.score)}** has not been computed yet for {label(wanted.card)} on {wanted.prompts}. "
        f"{wanted.score.description}",
        icon=":material/query_stats:",
    )
    read = wanted.request.prompts_read()
    if read:
        st.caption(
            f":material/history: {read:,} of its {wanted.request.n_prompts:,} prompts are read already, and what was "
            "read is kept; it goes on from there."
        )
    unanswered = wanted.request.answers_missing()
    if unanswered:
        answers = len(wanted.request.needed_answers.prompts)
        st.caption(
            f":material/forum: First the model answers {answers:,} prompts; {answers - unanswered:,} of these answers "
            "are kept already. A stop keeps those that are complete, not those in the making."
        )
    if wanted.score.needs_other:
        st.caption("Both models stay in memory meanwhile.")
    if needed:
        fitting.require(wanted.card, SCORING)
    else:
        fitting.allowed(wanted.card, SCORING, place=fitting.PLACES[1])
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
    cost = duration.of_score(wanted.request, wanted.card, resources.shelf().holds(wanted.card))
    _offer([wanted], f"{words} ({cost})", key, "primary" if primary else "secondary")
    return None


def offer_all(waiting: Sequence[Wanted], key: str) -> None:
    """Draw a button that computes several results of one model, sharing their passes."""
    card = waiting[0].card
    cost = duration.of_scores([wanted.request for wanted in waiting], card, resources.shelf().holds(card))
    _offer(waiting, f"Compute the others: {_names(waiting)} ({cost})", key, "secondary")


def _offer(waiting: Sequence[Wanted], words: str, key: str, kind: str) -> None:
    """Draw the button, and compute the results once it was pressed."""
    card = waiting[0].card
    name = _fingerprints(waiting)
    misfit = fitting.misfit(card, SCORING)
    if not work.asked(
        name, words, key, type=kind, icon=":material/play_arrow:", disabled=bool(misfit), help=misfit or None
    ):
        return
    # Opened before the work begins, for its time is no part of what the scores take.
    if any(wanted.score.needs_model or wanted.request.missing() for wanted in waiting):
        for needed in filter(None, (card, waiting[0].other)):
            opening.opened(needed)
    work.begun()
    _compute(waiting, key)
    st.rerun()


def _fingerprints(waiting: Sequence[Wanted]) -> str:
    return " ".join(wanted.request.fingerprint for wanted in waiting)


def _names(waiting: Sequence[Wanted]) -> str:
    return ", ".join(wanted.score.name for wanted in waiting)


def _compute(waiting: Sequence[Wanted], key: str) -> None:
    from safeneuron.scoring import compute_scores

    first = waiting[0]
    with ExitStack() as stack:
        if len(waiting) == 1:
            stack.enter_context(duration.measured_score(first.request, first.card))
        label = f"Computing {_names(waiting)} of {first.card.title}"
        progress = stack.enter_context(work.long_work(label, key))
        stack.enter_context(resources.alone(f"scores {_fingerprints(waiting)}", progress))
        compute_scores(
            [wanted.request for wanted in waiting],
            lambda: opening.opened(first.card),
            (lambda: opening.opened(first.other)) if first.other else None,
            progress,
        )
