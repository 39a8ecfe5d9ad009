"""The Model page's look inside one prompt: what each layer would say next, as it is and with the set in hand off."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from safeneuron import duration, pace
from safeneuron.models.card import ModelCard
from safeneuron.models.parity_report import refuse_if_red
from safeneuron.neurons import NeuronSet
from safeneuron.plots.logit_attribution import logit_attribution
from safeneuron.plots.logit_lens import logit_lens
from safeneuron.plots.refusal_by_layer import refusal_by_layer
from safeneuron.ui import figure, hand, opening, resources, words
from safeneuron.ui.choice import Choice
from safeneuron.ui.work import long_work

if TYPE_CHECKING:
    from safeneuron.residual_stream.reading import ResidualStream

POSITIONS = (6, 12, 24)
"""How many of the last tokens the heatmap may show; with more, the words in its cells are cut shorter."""
_OPEN = "look_open"


def show(choice: Choice) -> None:
    """Offer to look inside one prompt; folded, and nothing of it computed or drawn, until the person opens it."""
    st.subheader("Look inside one prompt", anchor=False, help=words.RESIDUAL_STREAM)
    place = st.expander(
        "What each layer would say next, and what it adds to a refusal",
        key=_OPEN,
        icon=":material/layers:",
        on_change="rerun",
    )
    if not place.open:
        return
    with place:
        _inside(choice)


def _inside(choice: Choice) -> None:
    card, sets = choice.card, _sets(choice)
    refuse_if_red(card)
    kept = resources.residual_streams()
    with st.form("look_form", border=False):
        prompt = st.text_area(
            "Prompt",
            resources.panel_prompts()[0][0],
            key="look_prompt",
            height=80,
            max_chars=2000,
            persist_state="session",
        ).strip()
        missing = [neurons for neurons in sets.values() if kept.peek(_key(card, prompt, neurons)) is None]
        asked = st.form_submit_button(
            f"Look inside{f', and again with {name} off' if (name := _name_of(sets)) else ''} "
            f"({duration.of_looks(len(sets), card, resources.shelf().holds(card))})",
            type="primary" if missing else "secondary",
            key="look",
            icon=":material/troubleshoot:",
            help="Reads the model through TransformerLens' bridge, which shares its weights: nothing is loaded twice.",
        )
    if asked and not prompt:
        st.warning("Write a prompt first.", icon=":material/edit:")
        return
    if asked and missing:
        _look(card, prompt, missing)
        # The button then says what it took.
        st.rerun()
    found = [kept.peek(_key(card, prompt, neurons)) for neurons in sets.values()]
    streams = {stream.off: stream for stream in found if stream}
    if not streams:
        st.caption("One prompt, read once for each condition. What was read is there at once the next time.")
        return
    if len(streams) < len(sets):
        st.caption("The prompt has not been read under every condition yet; press the button for the rest.")
    _draw(streams)


def _sets(choice: Choice) -> dict[str, NeuronSet | None]:
    """Return what is switched off in each look: nothing, and the set in hand if it has any neurons."""
    name = hand.name_in_hand()
    return {"ORI": None} | ({name: replace(choice.hand, name=name)} if choice.hand else {})


def _name_of(sets: Mapping[str, NeuronSet | None]) -> str:
    return next((name for name, neurons in sets.items() if neurons), "")


def _key(card: ModelCard, prompt: str, neurons: NeuronSet | None) -> tuple[str, str, frozenset, str]:
    # With the name, which the figures write and colour by.
    return card.fingerprint, prompt, *((neurons.neurons, neurons.name) if neurons else (frozenset(), "ORI"))


def _look(card: ModelCard, prompt: str, sets: Sequence[NeuronSet | None]) -> None:
    """Look with each of the sets off, and keep what was read."""
    loaded = opening.opened(card)
    with pace.measured("look", len(sets), card), long_work("Looking inside the prompt", "look") as progress:
        from safeneuron.residual_stream.look import look_inside

        for neurons in sets:
            found = look_inside(loaded, prompt, neurons, progress=progress)
            resources.residual_streams().put(_key(card, prompt, neurons), found)


def _draw(streams: Mapping[str, "ResidualStream"]) -> None:
    figure.show(refusal_by_layer(list(streams.values())), key="refusal_by_layer")
    controls = st.container(horizontal=True, gap="medium")
    condition, positions = next(iter(streams)), POSITIONS[1]
    if len(streams) > 1:
        condition = controls.segmented_control(
            "Switched off",
            list(streams),
            default=condition,
            required=True,
            key="look_condition",
            help="\n\n".join(words.SETS[name] for name in streams),
        )
    positions = controls.segmented_control(
        "Last tokens of the prompt",
        POSITIONS,
        default=positions,
        required=True,
        key="look_positions",
        persist_state="session",
    )
    figure.show(logit_lens(streams[condition], positions), key="logit_lens")
    attributed = [stream for stream in streams.values() if stream.attribution]
    if attributed:
        figure.show(logit_attribution(attributed), key="logit_attribution")
    for reason in {stream.not_attributed for stream in streams.values() if stream.not_attributed}:
        st.info(f"There are no bars of what each layer adds: {reason}.", icon=":material/info:")
