"""Which neurons matter: the set in hand pruned to what its effect needs, as a background job."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.plots.pruning import pruning_shares
from safeneuron.pruning.result import PruningResult, kept_results
from safeneuron.pruning.settings import PruningSettings
from safeneuron.pruning.start import KIND, check_prunable, cost, start_pruning
from safeneuron.runs.info import RunInfo
from safeneuron.sets.expression import Named, written
from safeneuron.ui import figure, hand, refusal_words, run_monitor
from safeneuron.ui.choice import Choice


def show(choice: Choice, active: RunInfo | None, fits: bool) -> None:
    """Offer to prune the set in hand, where the model fits, and show what was found before."""
    st.subheader("Which neurons matter", anchor=False, help=refusal_words.PRUNING)
    if active is not None and active.kind == KIND:
        run_monitor.job_in_page(active, lambda: len(kept_results(choice.card.fingerprint)))
    results = kept_results(choice.card.fingerprint)
    _offer(choice, results, fits)
    if results:
        st.selectbox(
            "Results",
            range(len(results)),
            format_func=lambda place: _label(results[place]),
            key="pruning_result",
        )
        _draw(results[st.session_state["pruning_result"]])


def _offer(choice: Choice, results: list[PruningResult], possible: bool) -> None:
    name = hand.label(hand.name_in_hand())
    try:
        check_prunable(choice.hand)
    except UserError as error:
        st.caption(str(error))
        return
    first, second = st.columns([1, 2])
    percent = first.slider(
        "Share of the effect to keep, %", 50, 100, 90, 5, key="pruning_keep", help=refusal_words.EFFECT_KEPT
    )
    settings = PruningSettings(keep=percent / 100)
    second.markdown(
        f"The smallest part of **{name}** ({len(choice.hand):,} neurons) that still does {percent} % of what it does. "
        f"Searched on {settings.prompts} harmful prompts, checked with answers to {settings.held_out} others."
    )
    if any(one.neurons.neurons == choice.hand.neurons and one.settings == settings for one in results):
        second.markdown(":material/check: This was found before; it is among the results.")
        return
    second.markdown(f":material/schedule: {cost(choice.card, choice.hand, settings)}.")
    if st.button(
        f"Find what matters in {name}",
        type="primary",
        key="start_pruning",
        icon=":material/play_arrow:",
        disabled=not possible,
    ):
        with st.spinner("Starting the background process …"):
            start_pruning(choice.card, choice.hand, settings)
        st.rerun()


def _draw(result: PruningResult) -> None:
    found = result.found
    first, second, third = st.columns(3)
    first.metric("Neurons that matter", f"{len(found.subset):,} of {len(result.neurons):,}", help=refusal_words.PRUNING)
    second.metric("Effect kept", f"{found.kept:.0%}", help=refusal_words.EFFECT_KEPT)
    third.metric(
        "Log-odds changed by", f"{found.subset_effect:+.2f} of {found.effect:+.2f}", help=refusal_words.LOG_ODDS
    )
    st.button(
        f"Take {result.name} in hand",
        key="take_pruned",
        icon=":material/back_hand:",
        on_click=hand.take,
        args=(written(Named(result.name)),),
        help="It is kept under this name, so every page and --set on the command line know it.",
    )
    left, right = st.columns([3, 2])
    with left:
        figure.show(pruning_shares(result), key="pruning_shares")
    with right:
        st.markdown("**The check, on other harmful prompts**", help=refusal_words.REFUSAL_RATE)
        rows = [
            {
                "switched off": row["switched off"] if row["switched off"] != "ORI" else "nothing (ORI)",
                "neurons": row["neurons"],
                "refused": str(result.refusal[row["switched off"]]).split(" (")[0],
            }
            for row in result.rates()
        ]
        st.dataframe(rows, hide_index=True)
        checked = result.refusal["ORI"]
        st.caption(
            f"n = {checked.n}, judge: {checked.judge}, 95 % Wilson intervals. RANDOM is as many random neurons in "
            "every layer as the subset has."
        )


def _label(result: PruningResult) -> str:
    return (
        f"{result.neurons.name}: {len(result.found.subset):,} of {len(result.neurons):,} neurons keep "
        f"{result.found.kept:.0%} (asked for {result.settings.keep:.0%})"
    )
