"""The results that the Neurons page shows: one, two side by side, or their difference."""

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.scores.result import ScoreResult
from safeneuron.scores.score import identifying_scores
from safeneuron.shown import Shown, shown_difference, shown_result
from safeneuron.ui import result_menu, result_work, words
from safeneuron.ui.address import DIFFERENCE, NOTHING, SAME, SECOND, SIDE_BY_SIDE, threshold_name
from safeneuron.ui.choice import Choice
from safeneuron.ui.result_menu import Wanted


def show_choice(choice: Choice, wanted: Wanted) -> tuple[Shown, Shown | None] | None:
    """Draw what else is chosen, and return what the map shows, and the second map where there is one.

    Returns
    -------
    tuple or None
        None while a result has still to be computed; the page says so and offers it.
    """
    if wanted.reads_others:
        st.caption(
            f":material/info: The map and the {wanted.score.name} below are of {wanted.prompts}, read at "
            f"{wanted.request.pooling}. {words.FOUND_WITH}"
        )
    for note in wanted.request.classes.notes:
        st.caption(f":material/info: {note}")
    beside = result_menu.beside(wanted)
    other = result_menu.second(choice, wanted) if beside != NOTHING else None
    if other and wanted.score.needs_other and st.session_state[f"score{SECOND}"] == SAME:
        st.caption(f":material/info: {wanted.score.name} compares both models by itself, so it is shown alone.")
        beside, other = NOTHING, None
    elif other and other.request.fingerprint == wanted.request.fingerprint:
        st.caption(":material/info: Both results are the same one; choose what the second one has of its own.")
        beside, other = NOTHING, None
    first = result_work.result_of(wanted, "compute")
    if first is None:
        return None
    second = result_work.result_of(other, "compute_second", needed=False) if other else None
    if other and second is None:
        # Until it is computed, the first one stands alone.
        beside, other = NOTHING, None
    if beside == DIFFERENCE:
        return shown_difference(first, second, wanted.apart_from(other), other.apart_from(wanted, in_full=False)), None
    shown = shown_result(first, wanted.apart_from(other), _threshold(first))
    if beside != SIDE_BY_SIDE:
        return shown, None
    return shown, shown_result(second, other.apart_from(wanted), _threshold(second))


def above(choice: Choice, wanted: Wanted, shown: Shown) -> NeuronSet | None:
    """Return the neurons above the threshold of what is shown, where they are not the set of that name."""
    if shown.threshold is None or (shown.name in identifying_scores() and not wanted.reads_others):
        return None
    return shown.selected(choice.card.fingerprint)


def _threshold(result: ScoreResult) -> float:
    return st.session_state[threshold_name(result.name)]
