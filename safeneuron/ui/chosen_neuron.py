"""The one neuron that is looked at: chosen on the map or in the table, framed on the map, kept in the address."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, parse_neurons

KEY = "neuron"
"""Name of the choice in the session and in the address, as ``?neuron=15:766``."""


def choose(neuron: Neuron) -> None:
    """Look at this neuron from now on."""
    st.session_state[KEY] = f"{neuron[0]}:{neuron[1]}"


def chosen(shape: tuple[int, int]) -> Neuron | None:
    """Return the neuron that is looked at, if a model of this shape ``(n_layers, d_mlp)`` has it."""
    try:
        found = parse_neurons(filter(None, [st.session_state[KEY]]))
    except UserError:
        # A link that somebody mistyped.
        return None
    return next(((layer, index) for layer, index in found if layer < shape[0] and index < shape[1]), None)
