"""Tables of neurons: the strongest of a model, and a set with a switch per neuron."""

import streamlit as st

from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.score_frames import strongest_members, strongest_neurons
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.ui import words

ROWS = 200
SWITCHES = 1000
COLUMNS = {
    "in set": st.column_config.CheckboxColumn("in set", width=54, help=words.NEURON_SET),
    "layer": st.column_config.NumberColumn("layer", width=54),
    "neuron": st.column_config.NumberColumn("neuron", width=62, help=words.NEURON),
    "ES": st.column_config.NumberColumn("ES (d)", width=62, format="%.2f", help=words.ES),
    "SAS": st.column_config.NumberColumn("SAS (z)", width=66, format="%.2f", help=words.SAS),
    "mean harmful": st.column_config.NumberColumn(
        "harmful", width=70, format="%.2f", help="Mean activation on harmful prompts."
    ),
    "mean benign": st.column_config.NumberColumn(
        "benign", width=70, format="%.2f", help="Mean activation on benign prompts."
    ),
}
"""Narrow enough that a window of 800 pixels shows them all."""


def strongest(table: ScoreTable, name: str, hand: NeuronSet, compared: ScoreTable | None, other: str | None) -> None:
    """Show the neurons with the highest score, or with the largest change of it, and which are in the set in hand.

    Parameters
    ----------
    compared, other
        Scores and title of the model that this one is compared with.
    """
    frame = strongest_neurons(table, hand, name, ROWS, compared)
    title, columns = f"The {ROWS} neurons with the highest {name}", COLUMNS
    order = [name, *(score for score in identifying_scores() if score != name), "mean harmful", "mean benign"]
    if compared is not None:
        title, order = f"The {ROWS} neurons whose {name} differs most from {other}", ["change", name, "compared"]
        columns = COLUMNS | {
            "change": st.column_config.NumberColumn("change", width=66, format="%+.2f"),
            "compared": st.column_config.NumberColumn(f"{name}, other", width=90, format="%.2f", help=other),
        }
    st.markdown(f"**{title}**", help=getattr(words, name, None))
    st.dataframe(
        frame,
        hide_index=True,
        height=300,
        column_order=["in set", "layer", "neuron", *order],
        column_config=columns,
        key="strongest",
    )


def switches(table: ScoreTable, hand: NeuronSet, key: str) -> frozenset[Neuron]:
    """Show the set's neurons, strongest first, with a switch each; return those switched on again.

    Parameters
    ----------
    key : str
        Of the widget; another set must have another key, or it would inherit the switches.
    """
    shown = strongest_members(table, hand, SWITCHES)
    shown.insert(0, "off", True)
    edited = st.data_editor(
        shown,
        hide_index=True,
        height=min(460, 38 + 35 * max(len(shown), 1)),
        column_order=["off", "layer", "neuron", *identifying_scores()],
        disabled=[column for column in shown.columns if column != "off"],
        column_config=COLUMNS | {"off": st.column_config.CheckboxColumn("off", width="small", help=words.ABLATION)},
        key=key,
    )
    if len(hand) > len(shown):
        st.caption(f"The {len(shown):,} strongest of {len(hand):,} neurons; the others are switched off too.")
    back = edited.loc[~edited["off"], ["layer", "neuron"]].itertuples(index=False, name=None)
    return frozenset((int(layer), int(index)) for layer, index in back)
