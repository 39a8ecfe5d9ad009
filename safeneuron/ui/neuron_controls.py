"""What a click or a box on the map does, in which order the neurons stand, and sets to start again from."""

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.ui import hand, map_clicks, words
from safeneuron.ui.address import ORDERS


def show() -> None:
    """Draw the controls that belong to the map."""
    ways = st.container(horizontal=True, gap="medium")
    ways.segmented_control("Order of a layer's neurons", ORDERS, key="order", required=True, help=words.CLUSTER)
    ways.segmented_control(
        "A click",
        map_clicks.ACTIONS,
        key=map_clicks.ACTION_KEY,
        default=map_clicks.CHANGES,
        required=True,
        persist_state="session",
        help="It puts a neuron into the set or takes it out, or only shows its card. While you hold Shift, clicks "
        "always change the set, all together when you let go.",
    )
    ways.segmented_control(
        "A box or lasso",
        map_clicks.WAYS,
        key=map_clicks.WAY_KEY,
        default=map_clicks.ADDS,
        required=True,
        persist_state="session",
        help="It adds all neurons inside it, or those whose score, the one shown, is above its threshold τ; or it "
        "takes out those inside it.",
    )


def start_again(above: NeuronSet | None, expression: str | None) -> None:
    """Draw the sets that can be taken in hand anew.

    Parameters
    ----------
    above : NeuronSet or None
        The neurons above the threshold of the score that is shown, where it is none of the paper's.
    expression : str or None
        The same set as an expression, which a link can carry, where there is one.
    """
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown("Start the set again from", width="content")
    for label in ("ES", "SAS", "FULL", "ORI"):
        row.button(
            "Empty" if label == "ORI" else label,
            key=f"start_{label}",
            on_click=hand.take,
            args=(label,),
            help=words.SETS[label],
        )
    if above is not None:
        row.button(
            f"{above.name} above τ: {len(above):,}",
            key="start_above",
            on_click=hand.take if expression else hand.replace,
            args=(expression or above,),
            disabled=not len(above),
            help="The neurons whose score, the one shown, is above its threshold τ.",
        )
