"""What each layer's safety neurons write towards refusing, beside the whole MLP."""

from dataclasses import replace

import streamlit as st

from safeneuron.overlap.readings import read_writing
from safeneuron.overlap.writing import READINGS, kept_writing, write_out
from safeneuron.plots.layer_writing import WORDS, layer_writing
from safeneuron.ui import hand, opening, overlap_layer, overlap_material, overlap_words, work
from safeneuron.ui.choice import Choice


def show(choice: Choice, layer: int | None) -> None:
    """Draw the sums over the neurons in hand, along the refusal direction and in log-odds."""
    material = overlap_material.chosen(choice.card, pooled=False)
    if not overlap_material.read(choice.card, material):
        return
    with overlap_material.said():
        found = kept_writing(material)
        if found is None:
            name = f"writing {material.fingerprint}"
            above = st.container()
            text = "Add up what the neurons write (a few seconds)"
            if not work.asked(name, text, "overlap_write", type="primary", icon=":material/play_arrow:"):
                above.caption("The model's weights are read once; no prompt is.")
                return
            loaded = opening.opened(choice.card)
            work.begun()
            with work.long_work("Adding up what the neurons write", "overlap_write") as progress:
                write_out(loaded, material, progress)
            st.rerun()
        reading = reading_menu("overlap_reading")
        chosen = replace(choice.hand, name=hand.label(hand.name_in_hand()))
        sums = found.by_layer(chosen, reading)
        st.markdown(read_writing(sums))
        overlap_layer.clickable(layer_writing(sums, layer), key=f"overlap_written_{reading}")
        st.caption("The neurons are those of the set in hand; take another one in the sidebar.")


def reading_menu(key: str) -> str:
    """Draw the choice of what is measured: along the refusal direction, or in log-odds."""
    return st.segmented_control(
        "Measured",
        READINGS,
        default=READINGS[0],
        format_func=lambda name: WORDS[name][0],
        required=True,
        key=key,
        help=overlap_words.WRITTEN,
    )
