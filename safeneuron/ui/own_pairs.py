"""A person's own preference pairs: uploaded once, kept for the session, and counted."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.prompts.pair_files import SUFFIXES, parse_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.prompts.sifting import SiftedPairs
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.start import own_pairs
from safeneuron.ui import training_words

_KEPT, _TAKEN = "own_pairs", "taken_pairs"
KINDS = {"harmful": "harmful", "twin": "safe twins", "benign": "benign", "own": "without a kind"}


def choose() -> tuple[tuple[PreferencePair, ...] | None, str | None]:
    """Offer an upload.

    Returns
    -------
    pairs : tuple of PreferencePair or None
        None where the run is to build them from the built-in prompts.
    hindrance : str or None
        What to do before a run can start, where the file cannot be read: whoever uploads one does not mean the
        built-in prompts.
    """
    kept = st.session_state.get(_KEPT)
    if kept is None:
        try:
            kept = _uploaded()
        except UserError as error:
            st.error(str(error), icon=":material/error:")
            return None, "Mend the file of preference pairs, or remove it to train on the built-in prompts."
        if kept is None:
            return None, None
    names, pairs = kept
    counts = Counter(pair.kind for pair in pairs)
    kinds = ", ".join(f"{counts[kind]:,} {label}" for kind, label in KINDS.items() if counts[kind])
    st.success(f"**{len(pairs):,} preference pairs** read from {names}: {kinds}.", icon=":material/check_circle:")
    st.button("Use the built-in prompts instead", key="forget_pairs", on_click=_forget)
    return pairs, None


def taken(pairs: Sequence[PreferencePair], settings: TrainingSettings) -> SiftedPairs:
    """Return which of them a run with these settings takes; sifted once, since there may be tens of thousands.

    Raises
    ------
    UserError
        When the mix that the settings ask for cannot be made of them.
    """
    asked = settings.safety_share, settings.pairs_limit, settings.dpo.seed
    known = st.session_state.get(_TAKEN)
    if known is None or known[0] is not pairs or known[1] != asked:
        known = st.session_state[_TAKEN] = pairs, asked, own_pairs(pairs, settings)
    return known[2]


def give(pairs: Sequence[PreferencePair] | None, names: Sequence[str]) -> None:
    """Take pairs as if they had been uploaded, such as an earlier run's; None goes back to the built-in prompts."""
    if _KEPT in st.session_state:
        _forget()
    if pairs is not None:
        st.session_state[_KEPT] = ", ".join(names) or "an earlier run", tuple(pairs)


def names() -> tuple[str, ...]:
    """Return the names of the files that the pairs in use came from."""
    kept = st.session_state.get(_KEPT)
    return tuple(kept[0].split(", ")) if kept else ()


def _uploaded() -> tuple[str, tuple[PreferencePair, ...]] | None:
    """Return names and pairs of the files that were just uploaded; raise UserError when it cannot be read."""
    files = st.file_uploader(
        "Your own preference pairs: one file or several",
        type=[suffix.removeprefix(".") for suffix in SUFFIXES],
        key=_uploader(),
        help=training_words.OWN_PAIRS,
        accept_multiple_files=True,
    )
    if not files:
        return None
    pairs = tuple(pair for file in files for pair in parse_pairs(file.getvalue(), file.name))
    found = ", ".join(file.name for file in files), pairs
    # The uploader forgets its file when another page is visited; the session does not.
    st.session_state[_KEPT] = found
    return found


def _uploader() -> str:
    """Return the uploader's key; a file that was put aside must not come back with it."""
    return f"pairs_file_{st.session_state.get('forgotten_pairs', 0)}"


def _forget() -> None:
    del st.session_state[_KEPT]
    st.session_state.pop(_TAKEN, None)
    st.session_state["forgotten_pairs"] = st.session_state.get("forgotten_pairs", 0) + 1
