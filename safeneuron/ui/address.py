"""What is chosen holds on every page and stands in the address, so that a link restores the view.

Streamlit can bind a widget to the address itself, but such a widget forgets its value when a page
that does not draw it is visited in between, and every page draws its own sidebar. So each choice
lives in the session under one name, which is also its widget's key and its name in the address.
"""

from typing import Any

import streamlit as st

from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.scores.score import identifying_scores

NOTHING = "nothing"
HIGHEST_THRESHOLD = 10.0
SETS = ("ORI", "ES", "SAS", "FULL", "RANDOM")
LONGEST = 1500
"""Characters of one value that an address still carries: about 180 clicked neurons."""
_WRITTEN, _KEPT = "address", "kept_choices"


def threshold_name(score: str) -> str:
    """Return the name of a score's threshold."""
    return f"tau_{score}"


def defaults() -> dict[str, Any]:
    """Return every choice that stands in the address, with the value that is left out of it."""
    chosen = {"model": DEFAULT_MODEL, "compare": NOTHING, "score": "SAS", "set": "FULL", "changes": "", "neuron": ""}
    return chosen | {threshold_name(name): score.default_threshold for name, score in identifying_scores().items()}


def read() -> None:
    """Take over what the address says, where it is not what this session wrote there itself."""
    written = st.session_state.get(_WRITTEN, {})
    kept = st.session_state.get(_KEPT, {})
    for name, default in defaults().items():
        text = st.query_params.get(name)
        if text is not None and text != written.get(name):
            st.session_state[name] = _parsed(name, text, default)
        else:
            # Said again, or Streamlit would drop it on pages that do not draw its widget.
            st.session_state[name] = st.session_state.get(name, kept.get(name, default))


def keep(name: str, value: Any) -> None:
    """Remember a choice before a callback takes time over it: Streamlit forgets a widget's value if a click cuts in."""
    st.session_state[_KEPT] = st.session_state.get(_KEPT, {}) | {name: value}


def write() -> None:
    """Put what differs from the defaults into the address."""
    st.session_state[_KEPT] = {name: st.session_state[name] for name in defaults()}
    written = {}
    for name, default in defaults().items():
        value = st.session_state[name]
        if value != default and _fits(value):
            written[name] = str(value)
            if st.query_params.get(name) != written[name]:
                st.query_params[name] = written[name]
        else:
            st.query_params.pop(name, None)
    st.session_state[_WRITTEN] = written


def leaves_out(name: str) -> bool:
    """Return whether a choice is too long for the address, so that a link or a reload loses it."""
    return not _fits(st.session_state[name])


def _fits(value: Any) -> bool:
    return len(str(value)) <= LONGEST


def _parsed(name: str, text: str, default: Any) -> Any:
    if name == "score":
        return text if text in identifying_scores() else default
    if name == "set":
        # Only names: a link must not make the server read a file.
        return text if text in SETS else default
    if not isinstance(default, float):
        return text
    try:
        value = float(text)
    except ValueError:
        return default
    return round(value, 1) if 0.0 <= value <= HIGHEST_THRESHOLD else default
