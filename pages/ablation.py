"""Ablation: switch neurons off, watch the refusal meter, then read the answers."""

import streamlit as st

from safeneuron.ui import (
    ablation_answers,
    ablation_chat,
    ablation_kind,
    ablation_meter,
    ablation_neurons,
    ablation_places,
    opening,
    switches,
    words,
)
from safeneuron.ui.page import page

with page("Ablation") as choice:
    if choice.table is None:
        opening.need_scores(choice.card)
    st.markdown(
        "The ablated neurons change in memory only. The meter follows each switch; the answers below are the test.",
        help=words.ABLATION,
    )
    # Above all else, so that a switch moves them within sight on a narrow screen too.
    means = st.container()
    # Two models' meters need the whole width; the controls then stand above them.
    controls, meter, answers = ablation_places.places(beside=choice.other is None)
    # A place for each, so that none slides into another's while the page is drawn anew.
    with controls:
        neurons, members, kind = (st.container() for _ in range(3))
    with neurons:
        ablation_neurons.show(choice)
    with members:
        off, name = switches.show(choice)
    with kind:
        ablation = ablation_kind.chosen(choice.card, off)
    with meter:
        opening.opened(choice.card)
        ablation_meter.show(choice, ablation, name, means)
    texts, talk = st.tabs([":material/notes: Answers, one by one", ":material/forum: Talk to it"])
    with talk:
        # Before the many answers, so that a question of the person's does not wait for them.
        ablation_chat.show(choice, ablation, name)
    with texts:
        ablation_answers.show(choice, ablation, name, answers.container(border=True))
