"""The self-check's state, and the gate that keeps numbers of a failing model off the pages."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.models.parity_report import LABELS, TOLERANCES, ParityReport, kept_parity
from safeneuron.ui import words

BADGES = {
    "not run yet": (":material/help:", "gray"),
    "passed": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
}


def verdict(card: ModelCard) -> str:
    """Return what the self-check said of a model: passed, failed, or not run yet."""
    report = kept_parity(card.fingerprint)
    return "not run yet" if report is None else "passed" if report.passed else "failed"


def badge(card: ModelCard) -> None:
    """Say in one line whether the numbers of this model can be trusted."""
    found = verdict(card)
    icon, colour = BADGES[found]
    st.badge(f"Self-check {found}", icon=icon, color=colour, help=words.SELF_CHECK)


def stop_if_red(card: ModelCard) -> None:
    """End the page with a sentence when the three ways of ablating disagree on this model."""
    report = kept_parity(card.fingerprint)
    if report is not None and not report.passed:
        failed = "; ".join(LABELS[name] for name in report.failures())
        st.error(
            f"{card.title} fails its self-check ({failed}), so its numbers are not shown; "
            "see the Model page, or choose another model."
        )
        st.stop()


def show(report: ParityReport) -> None:
    """Show the verdict and every comparison with its difference and tolerance."""
    if report.passed:
        st.success(
            f"Passed: with {report.neurons} random neurons off, all three ways give the same numbers.",
            icon=":material/check_circle:",
        )
    else:
        st.error(
            "Failed: the three ways differ, so the other pages show no numbers of this model", icon=":material/error:"
        )
    # A table, not a data frame: on a narrow window its words wrap where those of a data frame are cut.
    st.table(
        [
            {
                "comparison": LABELS[name],
                "largest difference": f"{getattr(report, name):.1e}",
                "tolerance": f"{tolerance:.0e}",
                "verdict": "differs" if name in report.failures() else "agrees",
            }
            for name, tolerance in TOLERANCES.items()
        ],
        hide_index=True,
    )
