"""Neurons: a map of every neuron by any score, the thresholds, and the set in hand."""

import streamlit as st

from safeneuron.neuron_card.standing import Ranking
from safeneuron.sets.top import top_expression
from safeneuron.ui import (
    method_agreement,
    neuron_card,
    neuron_controls,
    neuron_figures,
    neuron_results,
    neuron_sets,
    opening,
    resources,
    result_menu,
    safety_thresholds,
    survivors,
    words,
)
from safeneuron.ui.neuron_table import strongest
from safeneuron.ui.page import page

with page("Neurons") as choice:
    if choice.table is None:
        opening.need_scores(choice.card)
    intro = st.empty()
    if st.button(
        "Switch these off",
        type="primary",
        key="switch_off",
        icon=":material/toggle_off:",
        help=words.ABLATION,
        disabled=not len(choice.hand),
    ):
        st.switch_page("pages/ablation.py")

    safety_thresholds.show(choice)
    wanted = result_menu.first(choice)
    every, kept = f"The map shows every MLP neuron of **{choice.card.title}**", resources.result_of(wanted.request)
    # It stands while a result, the first or the second one, is computed.
    intro.markdown(
        f"{every}."
        if kept
        else f"{every} as soon as **{result_menu.title(wanted.score)}** is computed on {wanted.prompts}; what that "
        "costs stands below.",
        help=words.NEURON,
    )
    found = neuron_results.show_choice(choice, wanted)
    if found is None:
        st.stop()
    shown, second = found
    intro.markdown(
        f"{every}: {neuron_figures.meaning_of_colours(shown)} The marked ones are the set in hand: switch them off and "
        "see whether the model still refuses.",
        help=words.NEURON,
    )
    neuron_figures.show(choice, wanted, shown, second)
    neuron_controls.show()
    above = neuron_results.above(choice, wanted, shown)
    neuron_controls.start_again(above, above and top_expression(wanted.request, len(above)))
    survivors.show(choice, wanted)

    neuron_card.show(choice, Ranking(shown.name, shown.values), wanted)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        strongest(choice.table, shown, choice.hand)
    with right:
        neuron_figures.show_spread(shown)
    neuron_sets.show(choice)
    method_agreement.show(choice, wanted)
