"""The frame of every page: heading, sidebar, mistakes as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.parity_report import refuse_if_red
from safeneuron.quiet import quiet_libraries
from safeneuron.ui import (
    address,
    hand,
    map_clicks,
    navigation,
    resources,
    result_menu,
    safety_thresholds,
    sidebar,
    told_menu,
    work,
)
from safeneuron.ui.choice import Choice, card_of

STYLE = """<style>
@media (max-width: 1000px) { [data-testid='stColumn'] { min-width: 16rem; } }
[data-testid='stMainBlockContainer'] { padding-top: 3.75rem; }
</style>"""
"""On a narrow window columns go below each other; by itself Streamlit squeezes them until labels are cut. The page
begins right below the header, so that more of it is seen at first."""


@contextmanager
def page(title: str, monitor: bool = True, checked: bool = True) -> Iterator[Choice]:
    """Draw the frame and hand the page what is chosen in it.

    Parameters
    ----------
    title : str
    monitor : bool
        Whether the run in progress stands in the sidebar; the Training page shows it at large.
    checked : bool
        Whether the page holds back numbers of models that fail their self-check.
    """
    quiet_libraries()
    navigation.ensure()
    left_out = address.read(title)
    st.html(STYLE)
    st.html(work.STYLE)
    st.html(told_menu.STYLE)
    try:
        source, compared = sidebar.model_menu()
        st.title(title, anchor=False)
        sidebar.refusal()
        if left_out:
            st.warning(
                f"The link says {left_out}, which means nothing here and is left out.", icon=":material/link_off:"
            )
        card = card_of(source)
        safety_thresholds.adopt(card)
        result_menu.settle(compared)
        unknown = hand.settle(card)
        if unknown:
            st.warning(unknown, icon=":material/link_off:")
        table = resources.scores_of(card)
        if table is not None:
            impossible = hand.meanwhile(table)
            if impossible:
                st.warning(impossible, icon=":material/hourglass_empty:")
            map_clicks.apply(table)
        address.write()
        choice = Choice(
            card=card,
            other=card_of(compared) if compared else None,
            table=table,
            sets=table.select(hand.thresholds()) if table else None,
            hand=hand.in_hand(table) if table else None,
        )
        sidebar.rest(choice, monitor)
        if checked:
            for shown in filter(None, (choice.card, choice.other)):
                refuse_if_red(shown)
        yield choice
    except UserError as error:
        # Or what cannot be done would be tried again at every run.
        work.begun()
        st.error(str(error), icon=":material/error:")
        # Not a plain return: without a choice there is no page to go on with.
        st.stop()
