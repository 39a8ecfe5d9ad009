"""The self-check's state, and the gate that keeps numbers of a failing model off the pages."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.models.parity_report import LABELS, TOLERANCES, ParityReport, kept_parity
from safeneuron.ui import words


def badge(card: ModelCard) -> None:
    """Say in one line whether the numbers of this model can be trusted."""
    report = kept_parity(card.fingerprint)
    if report is None:
        st.badge("Self-check not run yet", icon=":material/help:", color="gray", help=words.SELF_CHECK)
    elif report.passed:
        st.badge("Self-check passed", icon=":material/check_circle:", color="green", help=words.SELF_CHECK)
    else:
        st.badge("Self-check failed", icon=":material/error:", color="red", help=words.SELF_CHECK)


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
    st.dataframe(
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
        column_config={"comparison": st.column_config.Column(width="large")},
    )
