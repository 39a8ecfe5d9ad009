"""Neurons: the map of every neuron's score, the thresholds, and the set in hand."""

import streamlit as st

from safeneuron.scores.score import scores
from safeneuron.ui import chosen_neuron, hand, map_clicks, neuron_figures, opening, resources, words
from safeneuron.ui.address import HIGHEST_THRESHOLD, threshold_name
from safeneuron.ui.neuron_table import strongest
from safeneuron.ui.page import page

with page("Neurons") as choice:
    if choice.table is None:
        opening.need_scores(choice.card)
    compared = resources.scores_of(choice.other) if choice.other else None
    st.markdown(
        f"The map shows every MLP neuron of **{choice.card.title}**: "
        f"{neuron_figures.meaning_of_colours(choice, compared)} The marked ones are the set in hand: switch them off "
        "and see whether the model still refuses.",
        help=words.NEURON,
    )
    if st.button(
        "Switch these off",
        type="primary",
        key="switch_off",
        icon=":material/toggle_off:",
        help=words.ABLATION,
        disabled=not len(choice.hand),
    ):
        st.switch_page("pages/ablation.py")

    # A row that wraps: on a narrow screen columns would cut their labels and numbers short.
    controls = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    name = controls.segmented_control(
        "Score",
        list(scores()),
        key="score",
        required=True,
        help=f"{words.ES}\n\n{words.SAS}",
    )
    for label, score in scores().items():
        controls.slider(
            f"τ of {label}, {score.unit}",
            0.0,
            HIGHEST_THRESHOLD,
            step=0.1,
            key=threshold_name(label),
            help=words.THRESHOLD,
            width=210,
        )
    for label, found in choice.sets.items():
        controls.metric(label, f"{len(found):,}", help=words.SETS[label], width="content")

    if choice.other and compared is None:
        st.warning(
            f"{choice.other.title} has not been scored yet, so there is no difference to draw; choose it as "
            "Model once and score its neurons.",
            icon=":material/query_stats:",
        )
    neuron_figures.show(choice, compared, name)

    chosen_neuron.numbers(choice.table)
    ways = st.container(horizontal=True, gap="medium")
    ways.segmented_control(
        "Order of a layer's neurons",
        neuron_figures.ORDERS,
        key="order",
        required=True,
        help="A neuron's index has no meaning, so each layer may be ordered by the score instead.",
    )
    ways.segmented_control(
        "A click",
        map_clicks.ACTIONS,
        key=map_clicks.ACTION_KEY,
        default=map_clicks.CHANGES,
        required=True,
        persist_state="session",
        help="It puts a neuron into the set or takes it out, or only shows its numbers. While you hold Shift, clicks "
        "always add, all together when you let go.",
    )
    ways.segmented_control(
        "A box or lasso",
        map_clicks.WAYS,
        key=map_clicks.WAY_KEY,
        default=map_clicks.ADDS,
        required=True,
        persist_state="session",
        help="It adds all neurons inside it, or those whose score, the one shown, is above its threshold τ; or it "
        "takes out those inside it.",
    )
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown("Start the set again from", width="content")
    for label in ("ES", "SAS", "FULL", "ORI"):
        row.button(
            "Empty" if label == "ORI" else label,
            key=f"start_{label}",
            on_click=hand.take,
            args=(label,),
            help=words.SETS[label],
        )

    neuron_figures.show_spread(choice, compared, name)
    strongest(choice.table, name, choice.hand, compared, choice.other.title if choice.other else None)
