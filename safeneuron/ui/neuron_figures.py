"""The Neurons page's figures: the map that can be clicked, the shares per layer, the spread of the score."""

import streamlit as st

from safeneuron.ordering import Order, by_score
from safeneuron.plots.figure import Figure
from safeneuron.plots.neuron_map import NeuronMap, neuron_map, reach
from safeneuron.plots.per_layer import per_layer, per_layer_compared
from safeneuron.plots.score_histogram import score_histogram
from safeneuron.scores.score import ScoreTable, scores
from safeneuron.ui import chosen_neuron, figure, hand, map_clicks, map_view, threshold_line
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
    """Draw the map of a score and the shares per layer beside it.

    Parameters
    ----------
    compared : ScoreTable or None
        Scores of the model that this one is compared with.
    name : str
        Of the score.
    """
    order = st.session_state["order"]
    drawn = _map(choice, compared, name, order)
    st.session_state[map_clicks.CELLS] = drawn.cells
    left, right = st.columns([3.4, 1], gap="small")
    with left, st.container(key=map_view.AREA):
        figure.show(drawn, key=map_clicks.map_key(), selectable=True)
        map_view.listen(drawn.cells, order)
    with right:
        figure.show(_counts(choice, compared), key="per_layer")
    st.caption(
        f"A click puts a neuron into the set or takes it out; hold Shift to add several. {reach(drawn.cells)} Draw a "
        "rectangle to see a part larger; a double click shows the whole map again. Box and lasso are in its tool bar."
    )


def show_spread(choice: Choice, compared: ScoreTable | None, name: str) -> None:
    """Draw how a score is spread over the neurons, with its threshold as a line that can be dragged."""
    drawn = score_histogram(
        _values(choice, compared, name),
        name,
        scores()[name].unit,
        choice.card.title,
        threshold=hand.thresholds()[name],
        difference_to=label(choice.other) if compared else None,
    )
    with st.container(key=threshold_line.AREA):
        figure.show(drawn, key="score_histogram", config=threshold_line.DRAGGABLE)
        if compared is None:
            threshold_line.listen(name)


def _values(choice: Choice, compared: ScoreTable | None, name: str):
    return choice.table.change(name, compared) if compared else choice.table.values(name)


def _map(choice: Choice, compared: ScoreTable | None, name: str, order: str) -> NeuronMap:
    table, values = choice.table, _values(choice, compared, name)
    return neuron_map(
        values,
        name,
        scores()[name].unit,
        choice.hand,
        choice.card.title,
        difference_to=label(choice.other) if compared else None,
        threshold=hand.thresholds()[name],
        means={"mean, harmful": table.harmful.mean, "mean, benign": table.benign.mean},
        order=_order(order, values, by_magnitude=compared is not None),
        view=map_view.kept(table.shape, order),
        chosen=chosen_neuron.chosen(table.shape),
    )


def _order(name: str, values, by_magnitude: bool) -> Order | None:
    return by_score(values, by_magnitude) if name == "score" else None


def _counts(choice: Choice, compared: ScoreTable | None) -> Figure:
    if compared is None:
        return per_layer(choice.sets)
    theirs = compared.select(hand.thresholds())["FULL"]
    return per_layer_compared(label(choice.card), choice.sets["FULL"], label(choice.other), theirs)
