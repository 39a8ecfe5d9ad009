"""Do the methods agree? Rank correlation of the scores, and how much of their tops they share."""

import streamlit as st

from safeneuron.plots.agreement import spearman_matrix, top_overlap
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import scores
from safeneuron.ui import figure, resources, result_work, words
from safeneuron.ui.choice import Choice
from safeneuron.ui.result_menu import Wanted


def show(choice: Choice, like: Wanted) -> None:
    """Draw the agreement of all scores computed for this model on the same prompts, and offer to compute the others."""
    st.subheader("Do the methods agree?", anchor=False, help=f"{words.SPEARMAN}\n\n{words.JACCARD}")
    found, waiting = [], []
    for name, score in scores().items():
        if score.needs_other:
            continue
        options = like.request.options if name == like.score.name else {}
        request = ScoreRequest(name, choice.card.fingerprint, like.request.classes, like.request.pooling, options)
        kept = resources.result_of(request)
        (found if kept is not None else waiting).append(Wanted(choice.card, None, request, like.prompts))
    if waiting:
        result_work.offer_all(waiting, "compute_all")
    if len(found) < 2:
        return
    compared = resources.agreement_of([wanted.request for wanted in found])
    left, right = st.columns(2, gap="medium")
    with left:
        figure.show(spearman_matrix(compared), key="spearman")
    with right:
        shown = like.score.name if like.score.name in compared.names else compared.names[0]
        figure.show(top_overlap(compared, shown), key="top_overlap")
