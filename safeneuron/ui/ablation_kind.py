"""What is done to the neurons of the set in hand: switched off, held at their benign mean, or scaled, and where."""

from dataclasses import replace

import streamlit as st

from safeneuron import duration, pace
from safeneuron.ablation.benign_mean import benign_means, kept_benign_means
from safeneuron.ablation.specification import FACTORS, Ablation
from safeneuron.models.card import ModelCard
from safeneuron.neurons import NeuronSet
from safeneuron.scoring import classes_of
from safeneuron.ui import address, opening, refusal_words
from safeneuron.ui.work import long_work

KINDS = {"zero": "switched off", "mean": "at their benign mean", "scale": "times a factor"}
POSITIONS = {"all": "everywhere", "generated": "in the answer only"}
STEP = 0.25


def chosen(card: ModelCard, neurons: NeuronSet) -> Ablation:
    """Draw the controls and return the ablation; until the benign means that it needs are read, it is of no neuron."""
    left, right = st.columns(2)
    kind = left.selectbox("They are", list(KINDS), format_func=KINDS.get, key="kind", help=refusal_words.ABLATION_KIND)
    positions = right.selectbox(
        "Where", list(POSITIONS), format_func=POSITIONS.get, key="positions", help=refusal_words.POSITIONS
    )
    factor = 0.0
    if kind == "scale":
        factor = st.slider("Factor", *FACTORS, step=STEP, key="factor", help=refusal_words.FACTOR)
        address.drawn("factor")
    means = None
    if kind == "mean" and len(neurons):
        means = kept_benign_means(neurons)
        if means is None and not _read_means(card, neurons):
            return Ablation(replace(neurons, neurons=frozenset()))
        means = means or kept_benign_means(neurons)
    return Ablation(neurons, kind, factor, positions, means)


def _read_means(card: ModelCard, neurons: NeuronSet) -> bool:
    """Offer to read the benign means, once for a model; return whether they are there now."""
    count = len(classes_of().benign)
    offer = st.empty()
    asked = offer.button(
        f"Read the benign means ({duration.of_reading(count, card)})",
        type="primary",
        key="read_means",
        icon=":material/play_arrow:",
        help=f"Each neuron's mean over the tokens of {count} benign prompts; read once for this model.",
    )
    if not asked:
        return False
    offer.empty()
    loaded = opening.opened(card)
    with pace.measured("reading", count, card), long_work("Reading the benign means", "means") as progress:
        benign_means(loaded, neurons, progress)
    return True
