"""How many neurons of the set in hand differ between the classes beyond chance: q-values of the effect size."""

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.scores.result import ScoreRequest
from safeneuron.significance import LEVEL, significant
from safeneuron.ui import result_work, words
from safeneuron.ui.choice import Choice
from safeneuron.ui.result_menu import Wanted


def show(choice: Choice, like: Wanted) -> None:
    """Say how many of the neurons in hand have q below 0.05 on the prompts of the result, or offer to test them."""
    if not len(choice.hand):
        return
    request = ScoreRequest("Significance", choice.card.fingerprint, like.request.classes, like.request.pooling)
    wanted = Wanted(choice.card, None, request, like.prompts)
    found = result_work.kept_or_asked(wanted, f"Test the set in hand: how many have q < {LEVEL}?", "test_set")
    if found is not None:
        _say(choice.hand, significant(choice.hand, found), like)


def _say(neurons: NeuronSet, count: int, like: Wanted) -> None:
    st.markdown(
        f"**{count:,} of the {len(neurons):,} neurons in hand have q < {LEVEL}** (effect size on {like.prompts}, read "
        f"at {like.request.pooling}; permutation test, Benjamini-Hochberg over all neurons).",
        help=words.Q_VALUE,
    )
