"""Neurons: the map of every neuron's score, the thresholds, and the set in hand."""

import streamlit as st

from safeneuron.neuron_card.standing import Ranking
from safeneuron.plots.neuron_map import reach
from safeneuron.scores.score import identifying_scores
from safeneuron.ui import hand, map_clicks, neuron_card, neuron_figures, opening, resources, words
from safeneuron.ui.address import HIGHEST_THRESHOLD, threshold_name
from safeneuron.ui.neuron_table import strongest
from safeneuron.ui.page import page

with page("Neurons") as choice:
    if choice.table is None:
        opening.need_scores(choice.card)
    compared = resources.scores_of(choice.other) if choice.other else None
    st.markdown(
        f"Each cell of the map is one MLP neuron of **{choice.card.title}**; "
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
        list(identifying_scores()),
        key="score",
        required=True,
        help=f"{words.ES}\n\n{words.SAS}",
    )
    for label, score in identifying_scores().items():
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

    st.caption(
        f"A click puts a neuron into the set; another click takes it out. {reach(choice.table.shape)} Draw a "
        "rectangle to see a part larger; a double click shows the whole map again. Box and lasso are in its tool bar."
    )
    left, right = st.columns([3, 4], vertical_alignment="bottom")
    left.segmented_control(
        "A box or lasso",
        map_clicks.WAYS,
        key=map_clicks.WAY_KEY,
        default=map_clicks.ADDS,
        required=True,
        persist_state="session",
        help="It adds all neurons inside it, or those whose score, the one shown, is above its threshold τ; or it "
        "takes out those inside it.",
    )
    right.markdown("Start the set again from")
    row = right.container(horizontal=True)
    for label in ("ES", "SAS", "FULL", "ORI"):
        row.button(
            "Empty" if label == "ORI" else label,
            key=f"start_{label}",
            on_click=hand.take,
            args=(label,),
            help=words.SETS[label],
        )

    neuron_card.show(choice, Ranking(name, choice.table.values(name)))
    strongest(choice.table, name, choice.hand, compared, choice.other.title if choice.other else None)
