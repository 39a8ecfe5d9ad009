"""The one neuron that is looked at: chosen on the map or in the table, framed on the map, kept in the address."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, parse_neurons

KEY = "neuron"
"""Name of the choice in the session and in the address, as ``?neuron=15:766``."""
CARD_AREA = "neuron_card"
"""Key of the container in which the card is."""
_TO_SHOW = "cards_to_show"
"""In the session: how many cards were asked for from where the card is out of sight."""
_SHOW = """
export default function ({ data }) {
  // Once for each time that it was asked for, not at every run of the page.
  if (window.safeneuronCardsShown === data.number) return
  window.safeneuronCardsShown = data.number
  document.querySelector(`.st-key-${data.area}`)?.scrollIntoView({ behavior: "smooth", block: "start" })
}
"""


def choose(neuron: Neuron) -> None:
    """Look at this neuron from now on."""
    st.session_state[KEY] = f"{neuron[0]}:{neuron[1]}"


def choose_and_show(neuron: Neuron) -> None:
    """Look at this neuron from now on, and bring its card into view."""
    choose(neuron)
    st.session_state[_TO_SHOW] = st.session_state.get(_TO_SHOW, 0) + 1


def bring_into_view() -> None:
    """Scroll to the card if that was asked for; drawn inside the card."""
    number = st.session_state.get(_TO_SHOW, 0)
    if number:
        component = st.components.v2.component("safeneuron_show_card", js=_SHOW)
        component(key="show_card", data={"number": number, "area": CARD_AREA}, height=1)


def chosen(shape: tuple[int, int]) -> Neuron | None:
    """Return the neuron that is looked at, if a model of this shape ``(n_layers, d_mlp)`` has it."""
    try:
        found = parse_neurons(filter(None, [st.session_state[KEY]]))
    except UserError:
        # A link that somebody mistyped.
        return None
    return next(((layer, index) for layer, index in found if layer < shape[0] and index < shape[1]), None)
