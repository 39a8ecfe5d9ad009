"""The Neurons page's figures: the map that can be clicked, the shares per layer, the spread of the score."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from safeneuron import duration, pace
from safeneuron.cluster_orders import activations_kept, kept_cluster_order
from safeneuron.ordering import Order, by_score
from safeneuron.plots.figure import Figure
from safeneuron.plots.neuron_map import NeuronMap, neuron_map, reach
from safeneuron.plots.per_layer import per_layer, per_layer_compared
from safeneuron.plots.score_histogram import score_histogram
from safeneuron.scores.score import scores
from safeneuron.shown import Shown
from safeneuron.ui import chosen_neuron, figure, hand, map_clicks, map_view, opening, resources, threshold_line
from safeneuron.ui.choice import Choice, label
from safeneuron.ui.result_menu import Wanted
from safeneuron.ui.work import asked, begun, long_work


def meaning_of_colours(shown: Shown) -> str:
    """Say in a sentence what the colours of the map mean."""
    if shown.is_difference:
        if not shown.difference_to:
            return f"the redder, the higher its rank by the first score than by the second ({shown.name}); blue: lower."
        return (
            f"the redder, the higher its score in **{shown.subject}** against **{shown.difference_to}** "
            f"({shown.name}); the bluer, the lower."
        )
    title = scores()[shown.name].title
    # Some titles begin with the score's name.
    what = title if shown.name in title else f"{shown.name} ({title})"
    if shown.signed:
        return f"the redder, the higher its {what}; the bluer, the further below zero."
    return f"the brighter, the higher its {what}."


def show(choice: Choice, wanted: Wanted, shown: Shown, second: Shown | None) -> None:
    """Draw the map of what is shown and the shares per layer beside it, and a second map where there is one."""
    order = _order(wanted, shown)
    name = order.name if order else "index"
    drawn = _map(choice, wanted, shown, order, map_view.kept(shown.values.shape, name))
    st.session_state[map_clicks.CELLS] = drawn.cells
    st.session_state[map_clicks.SHOWN] = shown
    # Two maps stand at one height, also where one title takes two lines.
    beside = "top" if second is None else "bottom"
    left, right = st.columns([3.4, 1] if second is None else 2, gap="small", vertical_alignment=beside)
    # No gap, or the listener would lift this map above the second one.
    with left, st.container(key=map_view.AREA, gap=None):
        with st.container():
            figure.show(drawn, key=map_clicks.map_key(), selectable=True)
        map_view.listen(drawn.cells, name)
    with right:
        if second is None:
            figure.show(_counts(choice, shown), key="per_layer")
        else:
            # In the order of the first map, so that a neuron stands at the same place of both.
            figure.show(_map(choice, wanted, second, order, map_view.kept(shown.values.shape, name)), key="second_map")
    st.caption(
        f"A click puts a neuron into the set or takes it out; hold Shift for several. {reach(drawn.cells)} Draw "
        "a rectangle to see a part larger; a double click shows the whole map again. Box and lasso are in its tool bar."
        + ("" if second is None else " Clicks are heard on the first map only.")
    )


def show_spread(shown: Shown) -> None:
    """Draw how the values are spread over the neurons, with the threshold as a line that can be dragged."""
    drawn = score_histogram(
        shown.values,
        shown.name,
        shown.unit,
        shown.subject,
        threshold=shown.threshold,
        difference_to=shown.difference_to,
    )
    with st.container(key=threshold_line.AREA):
        figure.show(drawn, key="score_histogram", config=threshold_line.DRAGGABLE)
        if shown.threshold is not None:
            threshold_line.listen(shown.name)


def _map(choice: Choice, wanted: Wanted, shown: Shown, order: Order | None, view: Any) -> NeuronMap:
    return neuron_map(
        shown.values,
        shown.name,
        shown.unit,
        choice.hand,
        shown.subject,
        difference_to=shown.difference_to,
        signed=shown.signed,
        threshold=shown.threshold,
        lowest=shown.lowest_colour,
        means=_means(choice, wanted),
        order=order,
        view=view,
        chosen=chosen_neuron.chosen(shown.values.shape),
    )


def _means(choice: Choice, wanted: Wanted) -> Mapping[str, Any]:
    """Return the means on the prompts of the result, or else on those that the safety neurons were found with."""
    statistics = resources.statistics_of(wanted.request)
    harmful, benign = statistics or (choice.table.harmful, choice.table.benign)
    return {"mean, harmful": harmful.mean, "mean, benign": benign.mean}


def _order(wanted: Wanted, shown: Shown) -> Order | None:
    chosen = st.session_state["order"]
    if chosen == "score":
        return by_score(shown.values, by_magnitude=shown.signed)
    return _cluster_order(wanted) if chosen == "cluster" else None


def _cluster_order(wanted: Wanted) -> Order | None:
    """Return the order by cluster, or offer to make it and return None until then."""
    request = wanted.request
    kept = kept_cluster_order(request.model, request.classes, request.pooling)
    if kept is not None:
        return kept
    is_read = activations_kept(request.targets)
    st.info(
        "To put neurons that are active on the same prompts side by side, their activations on every prompt are "
        f"{'compared' if is_read else 'read and kept'}, once. Until then they stand by their index.",
        icon=":material/grain:",
    )
    cost = duration.of_clusters(wanted.card, is_read, resources.shelf().holds(wanted.card))
    if not asked(
        f"clusters {request.fingerprint}",
        f"Order by cluster ({cost})",
        "make_clusters",
        type="primary",
        icon=":material/play_arrow:",
    ):
        return None
    from safeneuron.cluster_orders import CLUSTERING, make_cluster_order

    if not is_read:
        opening.opened(wanted.card)
    begun()
    with long_work("Ordering the neurons by cluster", "clusters") as progress:
        timed = pace.timing(progress, CLUSTERING, "clustering", 1, wanted.card)
        make_cluster_order(lambda: opening.opened(wanted.card), request.model, request.classes, request.pooling, timed)
    st.rerun()


def _counts(choice: Choice, shown: Shown) -> Figure:
    if shown.is_difference and choice.other:
        compared = resources.scores_of(choice.other)
        if compared is not None:
            theirs = compared.select(hand.thresholds())["FULL"]
            return per_layer_compared(label(choice.card), choice.sets["FULL"], label(choice.other), theirs)
    if shown.threshold is None or shown.name in choice.sets:
        return per_layer(choice.sets)
    return per_layer({shown.name: shown.selected(choice.card.fingerprint), "FULL": choice.sets["FULL"]})
