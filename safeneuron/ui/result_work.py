"""Getting a result: at once where it is kept, otherwise offered with its cost and computed in place."""

import streamlit as st

from safeneuron import pace
from safeneuron.models.fit import SCORING
from safeneuron.scores.result import ScoreResult
from safeneuron.ui import fitting, opening, resources
from safeneuron.ui.result_menu import Wanted
from safeneuron.ui.work import long_work


def result_of(wanted: Wanted, key: str) -> ScoreResult | None:
    """Return a result, or offer to compute it and return None until the person asks for that.

    Parameters
    ----------
    key : str
        Of the button.
    """
    kept = resources.result_of(wanted.request)
    if kept is not None:
        return kept
    fitting.require(wanted.card, SCORING)
    place = st.empty()
    with place.container():
        st.info(
            f"**{wanted.label}** has not been computed yet ({pace.of_score(wanted.request, wanted.card)}). "
            f"{wanted.score.description}",
            icon=":material/query_stats:",
        )
        asked = st.button(f"Compute {wanted.score.name}", type="primary", key=key, icon=":material/play_arrow:")
    if not asked:
        return None
    place.empty()
    from safeneuron.scoring import compute_scores

    with pace.measured_score(wanted.request, wanted.card), long_work(f"Computing {wanted.label}", key) as progress:
        compute_scores(
            [wanted.request],
            lambda: opening.opened(wanted.card),
            (lambda: opening.opened(wanted.other)) if wanted.other else None,
            progress,
        )
    st.rerun()
