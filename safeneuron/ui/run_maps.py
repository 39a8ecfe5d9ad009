"""The neuron map before a run, after it, and the difference: kept scores at once, others on request."""

from collections.abc import Sequence

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.neurons import NeuronSet
from safeneuron.plots.neuron_map import neuron_map
from safeneuron.prompts.choices import BUILT_IN, chosen_classes
from safeneuron.runs.info import RunInfo
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import identifying_scores
from safeneuron.shown import Shown, shown_difference, shown_result
from safeneuron.training.stages import Stage
from safeneuron.ui import figure, result_work
from safeneuron.ui.choice import label
from safeneuron.ui.result_menu import Wanted

BEFORE, AFTER, DIFFERENCE = "before", "after", "difference"


def show(info: RunInfo, found: Sequence[Stage], cards: Sequence[ModelCard | None]) -> None:
    """Draw one of the three maps of the parent and of a round's model, the last one's unless another is chosen.

    Parameters
    ----------
    info : RunInfo
    found : sequence of Stage
        The parent first.
    cards : sequence of (ModelCard or None)
        Of the stages; that of the parent is there.
    """
    st.subheader("The map, before and after", anchor=False)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    score = row.segmented_control(
        "Score", list(identifying_scores()), default="SAS", required=True, key="run_map_score", persist_state="session"
    )
    view = row.segmented_control(
        "Map", [BEFORE, AFTER, DIFFERENCE], default=DIFFERENCE, required=True, key="run_map", persist_state="session"
    )
    rounds = [place for place, card in enumerate(cards) if place and card is not None]
    place = rounds[-1]
    if len(rounds) > 1:
        place = row.segmented_control(
            "After",
            rounds,
            default=rounds[-1],
            format_func=lambda number: f"round {number}",
            required=True,
            key=f"run_map_round_{info.id}",
        )
    shown = _shown(info, score, view, cards[0], cards[place])
    if shown is None:
        return
    members, marked = _marked(view, found[0].found, found[place].found)
    drawn = neuron_map(
        shown.values,
        shown.name,
        shown.unit,
        members,
        shown.subject,
        difference_to=shown.difference_to,
        signed=shown.signed,
        threshold=shown.threshold,
        lowest=shown.lowest_colour,
        marked=marked,
    )
    figure.show(drawn, key=f"run_map_of_{view}")
    st.caption(f"Circles: {marked}, {len(members):,}. On the Neurons page the map can be clicked.")


def _shown(info: RunInfo, score: str, view: str, parent: ModelCard, trained: ModelCard) -> Shown | None:
    """Return what the map shows, or None after offering to compute it."""
    pooling = info.parameters.get("pooling", "last")
    results = []
    for name, card in ((BEFORE, parent), (AFTER, trained)):
        if view not in (name, DIFFERENCE):
            continue
        request = ScoreRequest(score, card.fingerprint, chosen_classes(BUILT_IN), pooling)
        result = result_work.kept_or_asked(
            Wanted(card, None, request, BUILT_IN), f"Compute {score} of {label(card)}", f"run_map_compute_{name}"
        )
        if result is None:
            return None
        results.append((result, label(card)))
    if view == DIFFERENCE:
        (before, of_parent), (after, of_trained) = results
        return shown_difference(after, before, of_trained, of_parent)
    (result, subject), threshold = results[0], info.parameters.get(f"threshold_{score}")
    return shown_result(result, subject, result.score.default_threshold if threshold is None else threshold)


def _marked(view: str, before: NeuronSet, after: NeuronSet) -> tuple[NeuronSet, str]:
    if view == BEFORE:
        return before, "the safety neurons (FULL) before the run"
    if view == AFTER:
        return after, "the safety neurons (FULL) found anew after the run"
    return after - before, "the safety neurons that are new"
