"""A neuron set from a file: read, checked against the model, and kept under a name."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import ancestors
from safeneuron.neurons import NeuronSet, parse_set
from safeneuron.sets.belonging import checked
from safeneuron.sets.expression import Named, written
from safeneuron.sets.kept import keep_set
from safeneuron.sets.origin import origin_words
from safeneuron.ui import hand, words

KEPT = "kept_set"
"""Key of the menu of kept sets, which shows the one that was kept last."""
_MISTAKE, _COUNT = "upload_mistake", "uploaded_sets"


def show(card: ModelCard) -> None:
    """Offer to upload a set and to keep it."""
    with st.expander("A set from a file (JSON)", icon=":material/upload:"):
        file = st.file_uploader("Neuron set", type="json", key=_uploader(), label_visibility="collapsed")
        foreign = st.toggle("It may be of another model of the same shape", key="foreign_set", help=words.FOREIGN)
        mistake = st.session_state.pop(_MISTAKE, None)
        if mistake:
            st.error(mistake, icon=":material/error:")
        if file is None:
            return
        try:
            found = parse_set(file.getvalue(), file.name)
            found = checked(found, card.fingerprint, card.shape, ancestors(card), foreign)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.caption(f"{len(found):,} neurons. From: {origin_words(found.origin)}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", found.name, key=f"name_{_uploader()}", max_chars=60, width=220)
            st.button(
                "Keep and take in hand", key="keep_upload", on_click=_keep, args=(found, name.strip(), card.fingerprint)
            )


def _keep(found: NeuronSet, name: str, model: str) -> None:
    try:
        keep_set(found, name, model)
    except UserError as error:
        st.session_state[_MISTAKE] = str(error)
        return
    st.session_state[KEPT] = name
    hand.take(written(Named(name)))
    # The next drawing has an empty uploader.
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1


def _uploader() -> str:
    return f"set_file_{st.session_state.get(_COUNT, 0)}"
