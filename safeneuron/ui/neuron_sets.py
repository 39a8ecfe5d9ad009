"""The section "Neuron sets" of the Neurons page: keep the set in hand, take a kept one, make new ones."""

import json

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.catalogue import ancestors
from safeneuron.neurons import NeuronSet
from safeneuron.sets.expression import Named, written
from safeneuron.sets.kept import NameTaken, delete_set, keep_set, kept_names, kept_sets
from safeneuron.sets.origin import origin_words
from safeneuron.ui import hand, set_maker, set_upload, words
from safeneuron.ui.choice import Choice

_MISTAKE, _REPLACE, _DONE = "set_mistake", "set_to_replace", "set_done"


def show(choice: Choice) -> None:
    """Draw the section; the set in hand is kept, and what is made is taken in hand."""
    st.subheader("Neuron sets", anchor=False, help=words.NEURON_SET)
    st.markdown("Keep the set in hand under a name, combine sets, and use them on every page and on the command line.")
    left, right = st.columns(2, gap="medium")
    with left:
        _keep(choice)
        _kept(choice)
        set_upload.show(choice.card)
    with right:
        set_maker.show(choice)


def _keep(choice: Choice) -> None:
    model = choice.card.fingerprint
    st.markdown(f"**Keep the set in hand** · {len(choice.hand):,} neurons", help=words.KEEP)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name", key="set_name", placeholder="my set", max_chars=60, width=200)
        st.button("Keep", key="keep_set", icon=":material/bookmark_add:", on_click=_save, args=(choice.hand, model))
        st.download_button(
            "JSON",
            data=lambda: json.dumps(choice.hand.to_json(), indent=1).encode(),
            file_name="neuron-set.json",
            mime="application/json",
            key="set_json",
            on_click="ignore",
            icon=":material/download:",
            help="The set in hand as a file: its neurons, the model's fingerprint, and where it came from. "
            "--set and the upload below read it.",
        )
    st.caption(f"From: {origin_words(choice.hand.origin)}")
    mistake, to_replace = st.session_state.pop(_MISTAKE, None), st.session_state.pop(_REPLACE, None)
    if to_replace:
        st.warning(f"There is another set named {to_replace}. Choose another name, or replace it.")
        st.button(
            f"Replace {to_replace}",
            key="replace_set",
            icon=":material/sync:",
            on_click=_save,
            args=(choice.hand, model, to_replace),
        )
    elif mistake:
        st.error(mistake, icon=":material/error:")
    done = st.session_state.pop(_DONE, None)
    if done:
        st.toast(done, icon=":material/bookmark_added:")


def _save(neurons: NeuronSet, model: str, replaced: str | None = None) -> None:
    """Keep a set under the name that was typed, and take it in hand under it."""
    name = replaced or st.session_state["set_name"].strip()
    try:
        keep_set(neurons, name, model, replacing=bool(replaced))
    except NameTaken:
        st.session_state[_REPLACE] = name
    except UserError as error:
        st.session_state[_MISTAKE] = str(error)
    else:
        st.session_state[_DONE] = f"Kept {len(neurons):,} neurons as {name}."
        st.session_state[set_upload.KEPT] = name
        hand.take(written(Named(name)))


def _kept(choice: Choice) -> None:
    kept = kept_sets(choice.card.fingerprint, ancestors(choice.card))
    for sentence in kept.broken:
        st.warning(sentence, icon=":material/broken_image:")
    if not kept.sets:
        st.caption("No set is kept for this model yet.")
        return
    by_name = {found.name: found for found in kept.sets}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Kept sets",
            list(by_name),
            format_func=lambda name: f"{name} · {len(by_name[name]):,} neurons",
            key=set_upload.KEPT,
            width=200,
        )
        st.button("Take in hand", key="take_kept", on_click=hand.take, args=(written(Named(name)),))
        of_ancestor = name not in kept_names(choice.card.fingerprint)
        with st.popover(
            "Delete",
            icon=":material/delete:",
            disabled=of_ancestor,
            help="Kept for the model that this one was trained from; choose that one to delete it."
            if of_ancestor
            else None,
        ):
            st.markdown(f"Delete **{name}**? Runs that were started with it have a copy of their own.")
            st.button(
                "Delete it", key="delete_set", type="primary", on_click=_delete, args=(name, choice.card.fingerprint)
            )
    st.caption(f"From: {origin_words(by_name[name].origin)}")


def _delete(name: str, model: str) -> None:
    try:
        delete_set(name, model)
    except UserError as error:
        st.session_state[_MISTAKE] = str(error)
        return
    st.session_state[_DONE] = f"{name} is deleted."
    if st.session_state["set"] == written(Named(name)):
        hand.take("FULL")
