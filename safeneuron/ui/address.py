"""What is chosen holds on every page and stands in the address, so that a link restores the view.

Streamlit can bind a widget to the address itself, but such a widget forgets its value when a page
that does not draw it is visited in between, and every page draws its own sidebar. So each choice
lives in the session under one name, which is also its widget's key and its name in the address.
"""

import time
from collections.abc import Collection
from typing import Any

import streamlit as st

from safeneuron.ablation.specification import FACTORS, KINDS, POSITIONS
from safeneuron.errors import UserError, shortened
from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.prompts.choices import BUILT_IN, choices
from safeneuron.scores.option import Option
from safeneuron.scores.score import scores
from safeneuron.statistics import POOLINGS
from safeneuron.threshold_steps import in_steps

NOTHING = "nothing"
SETS = ("ORI", "ES", "SAS", "FULL", "RANDOM")
ORDERS = ("index", "score", "cluster")
SIDE_BY_SIDE, DIFFERENCE = "side by side", "difference"
BESIDE = (NOTHING, SIDE_BY_SIDE, DIFFERENCE)
PARTS = ("Depth", "Categories", "Layers", "Writing", "Stability", "Runs")
"""Of the Overlap page."""
FIRST_SCORE = "SAS"
FIRST_FACTOR = 2.0
"""What a scaled neuron is first multiplied by: amplified."""
SAME = "the same"
"""What a second result has of the first."""
SECOND = "2"
"""At the end of the names of what is chosen for the second result."""
LONGEST = 1500
"""Characters of one value that an address still carries: about 180 clicked neurons."""
PRESET = "preset_thresholds"
"""The session's thresholds by score that the chosen model starts with."""
BEHIND_SECONDS = 5.0
"""How far the browser's address may lie behind what the session wrote into it."""
_WRITTEN, _RECENT, _KEPT = "address", "recent_addresses", "kept_choices"
_DRAWN = "drawn_choices"
"""The session's page, and the sliders that its run has drawn so far."""


def threshold_name(score: str) -> str:
    """Return the name of a score's threshold."""
    return f"tau_{score}"


def option_name(score: str, option: str, end: str = "") -> str:
    """Return the name of a score's option, for the first result or the second."""
    return f"{score}.{option}{end}"


def defaults() -> dict[str, Any]:
    """Return every choice that stands in the address, with the value that is left out of it."""
    chosen = {"model": DEFAULT_MODEL, "compare": NOTHING, "set": "FULL", "changes": "", "neuron": ""}
    alone = st.session_state.get("compare", NOTHING) == NOTHING
    chosen |= {"order": ORDERS[0], "beside": NOTHING if alone else DIFFERENCE}
    chosen |= {"kind": KINDS[0], "positions": POSITIONS[0], "factor": FIRST_FACTOR}
    chosen |= {"part": PARTS[0], "layer": None}
    chosen |= {"score": FIRST_SCORE, "prompts": BUILT_IN, "pooling": POOLINGS[0]}
    chosen |= {f"{name}{SECOND}": SAME for name in ("score", "prompts", "pooling")}
    for end in ("", SECOND):
        chosen |= {name: option.default for name, option in _options(end).items()}
    preset = st.session_state.get(PRESET, {})
    return chosen | {
        threshold_name(name): preset.get(name, score.default_threshold) for name, score in scores().items()
    }


def read(page: str) -> str:
    """Take over what the address says, where it is not what this session wrote there itself.

    Parameters
    ----------
    page : str
        Its title.

    Returns
    -------
    str
        What of it means nothing and is left out, as ``tau_ES=high, part=Nope``; empty where all is well.
    """
    left_out = []
    kept = st.session_state.get(_KEPT, {})
    before, drawn_before = st.session_state.get(_DRAWN, (page, frozenset()))
    moved, left = (drawn_before, frozenset()) if before == page else (frozenset(), drawn_before)
    st.session_state[_DRAWN] = (page, frozenset())
    for name, default in defaults().items():
        text = st.query_params.get(name)
        if text is not None and not _is_own(name, text):
            try:
                st.session_state[name] = _parsed(name, text, default)
            except ValueError:
                left_out.append(f"{name}={shortened(text)}")
                st.session_state[name] = default
        elif name in left and name in kept:
            # The slider went with its page, and what the session said before it was moved would stand again.
            st.session_state[name] = kept[name]
        elif name not in moved or name not in st.session_state:
            # Said again, or Streamlit would drop it on pages that do not draw its widget.
            st.session_state[name] = st.session_state.get(name, kept.get(name, default))
    return ", ".join(left_out)


def drawn(name: str) -> None:
    """Note that a slider is drawn, so that the next run of its page does not say its value again.

    What a script says to a widget throws back what a person moved it to meanwhile, and a slider is moved many times a
    second. A run that a click cuts short before the slider is drawn notes nothing, and the next one says the value.
    """
    page, names = st.session_state[_DRAWN]
    st.session_state[_DRAWN] = (page, names | {name})


def keep(name: str, value: Any) -> None:
    """Remember a choice before a callback takes time over it: Streamlit forgets a widget's value if a click cuts in."""
    st.session_state[_KEPT] = st.session_state.get(_KEPT, {}) | {name: value}


def write() -> None:
    """Put what differs from the defaults into the address."""
    st.session_state[_KEPT] = {name: st.session_state[name] for name in defaults()}
    written = {
        name: str(st.session_state[name])
        for name, default in defaults().items()
        if st.session_state[name] != default and _fits(st.session_state[name])
    }
    # Before the address itself: a click may end this run in between.
    now, before = time.monotonic(), st.session_state.get(_WRITTEN, {})
    recent = [(at, pairs) for at, pairs in st.session_state.get(_RECENT, []) if now - at < BEHIND_SECONDS]
    st.session_state[_RECENT] = recent if written == before else [*recent, (now, before)]
    st.session_state[_WRITTEN] = written
    for name in defaults():
        if name not in written:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != written[name]:
            st.query_params[name] = written[name]


def _is_own(name: str, text: str) -> bool:
    """Return whether this session wrote what the address says, now or a moment ago: a quick click brings an old one."""
    if text == st.session_state.get(_WRITTEN, {}).get(name):
        return True
    oldest = time.monotonic() - BEHIND_SECONDS
    return any(pairs.get(name) == text for at, pairs in st.session_state.get(_RECENT, []) if at >= oldest)


def leaves_out(name: str) -> bool:
    """Return whether a choice is too long for the address, so that a link or a reload loses it."""
    return not _fits(st.session_state[name])


def _fits(value: Any) -> bool:
    return len(str(value)) <= LONGEST


def _options(end: str) -> dict[str, Option]:
    """Return every option of every score by its name in the address."""
    return {option_name(name, option.name, end): option for name, score in scores().items() for option in score.options}


def _parsed(name: str, text: str, default: Any) -> Any:
    """Return what a text in the address stands for, or raise ValueError where it stands for nothing."""
    allowed = _allowed(name.removesuffix(SECOND))
    if allowed is not None:
        return _if(text in allowed or text == default, text)
    if name == "layer":
        return int(_if(text.isdecimal(), text))
    for end in ("", SECOND):
        option = _options(end).get(name)
        if option:
            try:
                return option.checked(text)
            except UserError as error:
                raise ValueError from error
    score = {threshold_name(score.name): score for score in scores().values()}.get(name)
    if score is None and name != "factor":
        return text
    value = float(text)
    if name == "factor":
        return _if(FACTORS[0] <= value <= FACTORS[1], value)
    return in_steps(score, _if(0.0 <= value <= score.highest_threshold, value))


def _if(allowed: bool, value: Any) -> Any:
    if not allowed:
        raise ValueError
    return value


def _allowed(name: str) -> Collection[str] | None:
    """Return what a choice may be, or None where that is not a short list."""
    known = {"score": scores(), "prompts": choices(), "pooling": POOLINGS, "order": ORDERS, "beside": BESIDE}
    known |= {"kind": KINDS, "positions": POSITIONS, "part": PARTS}
    return known.get(name)
