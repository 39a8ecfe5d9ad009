"""The thresholds of ES and SAS, which decide the safety neurons: presets, a slider each, the sizes of the sets."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.scores.presets import PRESETS, Preset, preset_of
from safeneuron.scores.score import identifying_scores
from safeneuron.threshold_steps import threshold_step
from safeneuron.ui import hand, words
from safeneuron.ui.address import PRESET, drawn, threshold_name
from safeneuron.ui.choice import Choice
from safeneuron.ui.told_menu import told_menu

OWN = "your own"
_OF = "preset_of"


def adopt(card: ModelCard) -> None:
    """Give the thresholds of the model that was just chosen, but for those that the person or a link moved."""
    if st.session_state.get(_OF) == card.fingerprint:
        return
    scores = identifying_scores()
    before = st.session_state.get(PRESET) or {name: score.default_threshold for name, score in scores.items()}
    first = _OF not in st.session_state
    now = dict(preset_of(card)[0].thresholds)
    for name, value in now.items():
        key = threshold_name(name)
        said = first and key in st.query_params
        if st.session_state[key] == before[name] and not said:
            st.session_state[key] = value
    st.session_state.update({_OF: card.fingerprint, PRESET: now})


def show(choice: Choice) -> None:
    """Draw the presets, a slider per score, and how many neurons each set has."""
    # A row that wraps: on a narrow screen columns would cut their labels and numbers short.
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    present = _present()
    told_menu(
        row,
        "Thresholds",
        [*([] if present else [OWN]), *(preset.name for preset in PRESETS)],
        present.name if present else OWN,
        "preset_menu",
        _take,
        help=f"{preset_of(choice.card)[1]} {words.THRESHOLD}",
        width=240,
    )
    for name, score in identifying_scores().items():
        row.slider(
            f"τ of {name}, {score.unit}",
            0.0,
            score.highest_threshold,
            step=threshold_step(score),
            key=threshold_name(name),
            help=words.THRESHOLD,
            width=190,
        )
        drawn(threshold_name(name))
    for name, found in choice.sets.items():
        row.metric(name, f"{len(found):,}", help=words.SETS[name], width="content")


def _present() -> Preset | None:
    """Return the preset whose thresholds are the present ones."""
    return next((preset for preset in PRESETS if dict(preset.thresholds) == hand.thresholds()), None)


def _take(picked: str) -> None:
    chosen = next((preset for preset in PRESETS if preset.name == picked), None)
    for name, value in (chosen.thresholds if chosen else {}).items():
        st.session_state[threshold_name(name)] = value
