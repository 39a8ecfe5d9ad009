"""The Neurons page's figures: the map that can be clicked, and the counts per layer."""

import streamlit as st

from safeneuron.plots.figure import Figure
from safeneuron.plots.neuron_map import neuron_map
from safeneuron.plots.per_layer import per_layer, per_layer_compared
from safeneuron.scores.score import ScoreTable, scores
from safeneuron.ui import figure, hand, map_clicks, map_view
from safeneuron.ui.choice import Choice, label


def meaning_of_colours(choice: Choice, compared: ScoreTable | None) -> str:
    """Say in a sentence what the colours of the map mean."""
    if compared is None:
        return "the brighter, the more it does on harmful prompts compared with benign ones."
    return (
        "the redder, the more it does on harmful prompts compared with benign ones than the same neuron of "
        f"**{label(choice.other)}**; the bluer, the less."
    )


def show(choice: Choice, compared: ScoreTable | None, name: str) -> None:
    """Draw the map of a score and the counts per layer beside it.

    Parameters
    ----------
    compared : ScoreTable or None
        Scores of the model that this one is compared with.
    name : str
        Of the score.
    """
    left, right = st.columns([3.4, 1], gap="small")
    with left, st.container(key=map_view.AREA):
        figure.show(_map(choice, compared, name), key=map_clicks.map_key(), selectable=True)
        map_view.listen(choice.table.shape)
    with right:
        figure.show(_counts(choice, compared), key="per_layer")


def _map(choice: Choice, compared: ScoreTable | None, name: str) -> Figure:
    table = choice.table
    return neuron_map(
        table.change(name, compared) if compared else table.values(name),
        name,
        scores()[name].unit,
        choice.hand,
        choice.card.title,
        difference_to=label(choice.other) if compared else None,
        view=map_view.kept(table.shape),
        threshold=hand.thresholds()[name],
    )


def _counts(choice: Choice, compared: ScoreTable | None) -> Figure:
    if compared is None:
        return per_layer(choice.sets)
    theirs = compared.select(hand.thresholds())["FULL"]
    return per_layer_compared(label(choice.card), choice.sets["FULL"], label(choice.other), theirs)
