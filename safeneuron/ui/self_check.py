"""The self-check as pages show it: a badge in the sidebar, and every comparison on the Model page."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.models.parity_report import LABELS, ParityReport, kept_parity
from safeneuron.ui import words

BADGES = {
    "not run yet": (":material/help:", "gray"),
    "passed": (":material/check_circle:", "green"),
    "passed in part": (":material/rule:", "blue"),
    "failed": (":material/error:", "red"),
}


def verdict(card: ModelCard) -> str:
    """Return what the self-check said of a model, a key of :data:`BADGES`."""
    report = kept_parity(card.fingerprint)
    if report is None:
        return "not run yet"
    if not report.passed:
        return "failed"
    return "passed in part" if report.not_compared else "passed"


_PLACE = "self_check_badge"


def badge(card: ModelCard) -> None:
    """Say in one line whether the numbers of this model can be trusted."""
    st.session_state[_PLACE] = card.fingerprint, st.empty()
    draw_badge_again(card)


def draw_badge_again(card: ModelCard) -> None:
    """Bring the badge up to date after a check, if it is of this model and not of the one compared with."""
    shown, place = st.session_state[_PLACE]
    if shown != card.fingerprint:
        return
    found = verdict(card)
    icon, colour = BADGES[found]
    place.badge(f"Self-check {found}", icon=icon, color=colour, help=words.SELF_CHECK)


def show(report: ParityReport) -> None:
    """Show the verdict and every comparison with its difference and tolerance."""
    if report.passed:
        ways = "a hook and zeroed columns" if report.not_compared else "all three ways"
        st.success(
            f"Passed: with {report.neurons} random neurons off, {ways} give the same numbers.",
            icon=":material/check_circle:",
        )
    else:
        st.error(
            "Failed: not everything agrees, so the other pages show no numbers of this model", icon=":material/error:"
        )
    if report.bridge_words:
        (st.error if report.bridge_disagrees else st.info)(report.bridge_words, icon=":material/rule:")
    if report.cannot_read:
        st.warning(report.cannot_read, icon=":material/warning:")
    # A table, not a data frame: on a narrow window its words wrap where those of a data frame are cut.
    st.table(
        [
            {
                "comparison": LABELS[name],
                "largest difference": "–" if getattr(report, name) is None else f"{getattr(report, name):.1e}",
                "tolerance": f"{tolerance:.0e}",
                "verdict": _verdict(report, name),
            }
            for name, tolerance in report.tolerances.items()
        ],
        hide_index=True,
    )
    if report.in_shares:
        st.caption(
            "The weights are not float32, so padding and bridge are compared by root mean square, as a share of the "
            "numbers' spread."
        )
    st.caption(f"A neuron of this model is {report.formula}.")


def _verdict(report: ParityReport, name: str) -> str:
    if not report.compared(name):
        return "not compared"
    return "differs" if name in report.failures() else "agrees"
