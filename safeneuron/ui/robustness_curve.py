"""The degradation curve: measured as a background job, and drawn over earlier ones."""

import time

import streamlit as st

from safeneuron.degradation.curve import DegradationCurve
from safeneuron.degradation.kept import curves_stamp, kept_curves
from safeneuron.degradation.settings import DegradationSettings
from safeneuron.degradation.start import KIND, cost, start_curve
from safeneuron.neurons import NeuronSet
from safeneuron.plots.degradation import degradation
from safeneuron.prompts.choices import choices
from safeneuron.runs.info import RunInfo
from safeneuron.scores.score import scores
from safeneuron.ui import figure, hand, refusal_words, run_monitor, words
from safeneuron.ui.choice import Choice

MOST = (16, 32, 64, 128, 256, 512, 1024)
WAYS = {"quick": "quick: first word only", "answers": "with answers"}
WHOLE, IN_HAND = "the whole model", "the set in hand"
COLUMNS = {
    "neurons": "neurons removed",
    "set": "whose",
    "draw": "draw",
    "harmful_refusal_rate": "harmful refused",
    "harmful_low": "from",
    "harmful_high": "to",
    "benign_refusal_rate": "benign refused",
    "twin_refusal_rate": "safe twins refused",
    "harmful_log_odds": "log-odds, harmful",
    "kl": "KL",
    "perplexity_ratio": "perplexity × ORI",
}


def show(choice: Choice, active: RunInfo | None, fits: bool) -> None:
    """Offer to measure a curve, where the model fits, and draw those that are kept."""
    st.subheader("Degradation curve", anchor=False, help=refusal_words.DEGRADATION)
    curves = kept_curves()
    if active is not None and active.kind == KIND:
        run_monitor.job_in_page(active, curves_stamp)
    with st.expander("A new curve", expanded=not curves and active is None, icon=":material/add:"):
        _offer(choice, fits)
    if not curves:
        st.caption("No curve has been measured yet. The quick one is a good start.")
        return
    # While a curve is measured, none goes on beside it.
    _draw(choice, curves, fits and (active is None or active.kind != KIND))


def _offer(choice: Choice, fits: bool) -> None:
    usual = DegradationSettings()
    first, second, third = st.columns(3)
    orders = [name for name, found in scores().items() if not found.needs_other]
    score = first.selectbox(
        "In the order of",
        orders,
        index=orders.index(usual.score),
        format_func=lambda name: scores()[name].title,
        key="curve_score",
        persist_state="session",
    )
    prompts = first.selectbox(
        "Scored on", choices(), key="curve_prompts", help=words.SCORED_PROMPTS, persist_state="session"
    )
    of = second.segmented_control(
        "Remove neurons of", [WHOLE, IN_HAND], default=WHOLE, required=True, key="curve_among", persist_state="session"
    )
    most = second.select_slider(
        "Neurons removed at the end",
        MOST,
        value=usual.most,
        key="curve_most",
        persist_state="session",
        help=refusal_words.DEGRADATION,
    )
    way = third.segmented_control(
        "How",
        list(WAYS),
        format_func=WAYS.get,
        default="quick",
        required=True,
        key="curve_way",
        help=f"{refusal_words.QUICK_CURVE}\n\n{refusal_words.KL}",
        persist_state="session",
    )
    make = DegradationSettings if way == "answers" else DegradationSettings.quick
    settings = make(score=score, prompts=prompts, most=most)
    third.caption(
        f"{settings.harmful} harmful prompts, {settings.benign} benign ones and {settings.twins} safe twins, of the "
        f"built-in test part; {settings.draws} random controls at every {settings.controls_every}. step.",
        help=refusal_words.CONTROLS,
    )
    among = None
    if of == IN_HAND:
        among = choice.hand
        second.caption(f"{hand.label(hand.name_in_hand())}, {len(among):,} neurons")
    st.markdown(f":material/schedule: {cost(choice.card, settings, among)}.")
    run_monitor.queue_note("The curve")
    _start_button(choice, settings, among, fits, "Measure the curve", "start_curve")


def _start_button(
    choice: Choice,
    settings: DegradationSettings,
    among: NeuronSet | None,
    possible: bool,
    label: str,
    key: str,
) -> None:
    if st.button(label, type="primary", key=key, icon=":material/play_arrow:", disabled=not possible):
        with st.spinner("Starting the background process …"):
            start_curve(choice.card, settings, among)
        st.rerun()


def _draw(choice: Choice, curves: list[DegradationCurve], possible: bool) -> None:
    """Draw the chosen curves over each other."""
    by_name = {curve.fingerprint: curve for curve in curves}
    own = [curve.fingerprint for curve in curves if curve.model == choice.card.fingerprint]
    chosen = st.multiselect(
        "Curves, over each other",
        list(by_name),
        default=own[:1],
        format_func=lambda name: _label(by_name[name]),
        key=f"curves_{choice.card.fingerprint}_{own[0] if own else ''}",
        max_selections=5,
    )
    shown = [by_name[name] for name in chosen if by_name[name].points]
    for curve in (by_name[name] for name in chosen):
        if not curve.finished and possible:
            _go_on(choice, curve)
    if not shown:
        st.caption("It is drawn as soon as its first point is measured." if chosen else "Choose a curve to draw.")
        return
    drawn = degradation(shown)
    figure.show(drawn, key="degradation")
    with st.expander("The numbers"):
        table = drawn.data.rename(columns=COLUMNS)
        st.dataframe(table[[column for column in ("curve", *COLUMNS.values()) if column in table]], hide_index=True)


def _go_on(choice: Choice, curve: DegradationCurve) -> None:
    """Offer to measure what is missing of a curve that was stopped."""
    kept = f"{curve.name}: {len(curve.points)} of {curve.rounds} points are kept."
    if curve.among or curve.model != choice.card.fingerprint:
        st.caption(f"{kept} With its model, set and settings chosen above, it goes on from there.")
        return
    st.caption(kept)
    _start_button(choice, curve.settings, None, True, "Go on with it", f"go_on_{curve.fingerprint}")


def _label(curve: DegradationCurve) -> str:
    # The same while it is measured: Streamlit forgets a choice whose label changes.
    return f"{curve.name} · {time.strftime('%d %b %H:%M', time.localtime(curve.created))}"
