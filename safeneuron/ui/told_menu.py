"""A menu that shows what holds now, whoever changed it, and from which a person can take something else."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

STYLE = "<style>[class*='st-key-told_'] ~ [class*='st-key-told_'] { display: none; }</style>"
"""Streamlit lets the menu as it was stand behind the new one until the run is over."""


def told_menu(
    place: st.delta_generator.DeltaGenerator,
    label: str,
    options: Sequence[str],
    told: str,
    key: str,
    take: Callable[[str], None],
    **settings: Any,
) -> None:
    """Draw a menu that stands on what it is told, and calls ``take`` with what a person picks.

    It is another widget for each thing that it is told. Were it one, a browser that has not yet heard what it was told
    last, since a slider or a map is moved quickly, would send the thing before, and that would count as picked.
    """
    name = f"told_{key}: {told}"
    st.session_state[name] = told
    place.selectbox(label, options, key=name, on_change=lambda: take(st.session_state[name]), **settings)
