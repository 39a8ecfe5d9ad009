"""Where the safety neurons lie along the depth, and what two sets share in each layer; from kept scores alone."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import catalogue
from safeneuron.neurons import NeuronSet
from safeneuron.overlap.depth import DepthProfile, depth_profiles
from safeneuron.overlap.readings import read_depth, read_overlap
from safeneuron.overlap.two_sets import layer_overlap
from safeneuron.plots.depth import depth_rows
from safeneuron.plots.layer_overlap import overlap_by_layer
from safeneuron.scores.score import scores
from safeneuron.scoring import kept_score
from safeneuron.sets.expression import Top, written
from safeneuron.ui import hand, overlap_layer, overlap_material, resources
from safeneuron.ui.choice import Choice, label, short_name
from safeneuron.workspace import workspace

MOST = 12
"""Models that have a row."""
_OTHER = "of the other model: "


def show(choice: Choice, layer: int | None) -> None:
    """Draw the share of safety neurons by depth, and the overlap of two sets."""
    with overlap_material.said():
        profiles = [_profile(card) for card in _scored(choice)]
        st.markdown(read_depth(profiles))
        overlap_layer.clickable(
            depth_rows(profiles, layer),
            "overlap_depth",
            # In any model's row: the chosen model's layer at that depth.
            lambda point: int(point["x"] * choice.card.n_layers),
        )
    st.subheader("What two sets share", anchor=False)
    row = st.container(horizontal=True, gap="medium")
    names = _names(choice)
    other = choice.other.fingerprint if choice.other else ""
    start = ("FULL", f"{_OTHER}FULL") if other else ("ES", "SAS")
    first = row.selectbox(
        "First set", names, index=names.index(start[0]), format_func=_title, key=f"overlap_first_{other}"
    )
    second = row.selectbox(
        "Second set",
        names,
        index=names.index(start[1]),
        format_func=_title,
        key=f"overlap_second_{other}",
    )
    with overlap_material.said():
        found = layer_overlap(
            _set(choice, first), _set(choice, second), (_legend(choice, first), _legend(choice, second))
        )
        st.markdown(read_overlap(found))
        overlap_layer.clickable(overlap_by_layer(found, layer), key="overlap_two_sets")


def _scored(choice: Choice) -> list[ModelCard]:
    """Return the models whose neurons were scored: the chosen one, the one compared with, then all others."""
    cards = {card.fingerprint: card for card in (choice.card, choice.other, *catalogue()) if card}
    return [card for card in cards.values() if resources.scores_of(card) is not None][:MOST]


def _profile(card: ModelCard) -> DepthProfile:
    thresholds = hand.thresholds()
    key = ("depth", str(workspace()), card.fingerprint, card.source, *thresholds.items())

    def made() -> DepthProfile:
        return depth_profiles({short_name(card.source): resources.scores_of(card).select(thresholds)["FULL"]})[0]

    return overlap_material.results().get(key, made)


def _names(choice: Choice) -> list[str]:
    """Return what can be compared: the model's sets, the tops of its other scores, and the other model's sets."""
    count = len(choice.sets["FULL"])
    tops = [
        written(Top(count, name, None))
        for name, score in scores().items()
        if count and not score.identifies and kept_score(name, choice.card.fingerprint) is not None
    ]
    theirs = [f"{_OTHER}{name}" for name in choice.sets] if choice.other else []
    return [*hand.names(choice.card), *tops, *theirs]


def _set(choice: Choice, name: str) -> NeuronSet:
    if name == hand.OWN:
        found = hand.own(choice.table)
        if found is None:
            raise UserError("This model has not all neurons of your own set; choose another set.")
        return found
    if not name.startswith(_OTHER):
        return hand.of(name, choice.table)
    table = resources.scores_of(choice.other)
    if table is None:
        raise UserError(f"The neurons of {label(choice.other)} have not been scored yet; choose it as the model once.")
    return table.select(hand.thresholds())[name.removeprefix(_OTHER)]


def _legend(choice: Choice, name: str) -> str:
    if choice.other is None:
        return _title(name)
    model = choice.other if name.startswith(_OTHER) else choice.card
    return f"{_title(name).removeprefix(_OTHER)} of {short_name(model.source)}"


def _title(name: str) -> str:
    return name if name.startswith(_OTHER) else hand.label(name)
