"""What a person does with a run that is shown: give it another name, start one like it, delete it."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.runs.deleting import delete_run, deletion_of
from safeneuron.runs.info import UNREADABLE, RunInfo
from safeneuron.runs.launcher import launched_how
from safeneuron.runs.renaming import LONGEST, rename
from safeneuron.training.like import Asked, asked_of
from safeneuron.training.start import KIND
from safeneuron.ui import address, freezing, hand, launching, own_pairs, training_settings
from safeneuron.ui.choice import short_name
from safeneuron.ui.run_table import WATCHED

_SAID, _ANSWERED = "run_action_said", "run_question_answered"

FILLED = "new_run_filled_in"
"""Key of whether the form of a new run was filled in, so that it is to be seen."""


def bar(info: RunInfo) -> None:
    """Draw the buttons for one run, and what the last of them had to say."""
    st.session_state.pop(_ANSWERED, None)
    said = st.session_state.pop(_SAID, None)
    if said:
        st.error(said, icon=":material/error:")
    with st.container(horizontal=True):
        if info.kind != UNREADABLE:
            with st.popover("Rename", icon=":material/edit:"), st.form("rename_run", border=False):
                name = st.text_input("Name", info.name, max_chars=LONGEST, key=f"name_of_{info.id}")
                if st.form_submit_button("Rename"):
                    _try(rename, info.id, name)
                    st.rerun()
        if info.kind == KIND:
            st.button(
                "Use these settings",
                key="like_run",
                icon=":material/content_copy:",
                on_click=_fill_in,
                args=(info.id,),
                help="Fills the form above with this run's model, set, settings and pairs, each of which can be "
                "changed before you start.",
            )
        if not info.active and st.button("Delete …", key="delete_run", icon=":material/delete:"):
            _ask(info.id)


@st.dialog("Delete this run?")
def _ask(run_id: str) -> None:
    """Say what goes, and do it only when told again."""
    if st.session_state.get(_ANSWERED):
        # Closes the dialog and draws the page anew.
        st.rerun()
    try:
        question = deletion_of(run_id).question
    except UserError as error:
        st.warning(str(error), icon=":material/block:")
        return
    st.markdown(question)
    with st.container(horizontal=True):
        st.button("Delete for good", key="delete_for_good", type="primary", on_click=_answer, args=(run_id, True))
        st.button("Keep it", key="keep_run", on_click=_answer, args=(run_id, False))


def _answer(run_id: str, delete: bool) -> None:
    """Delete the run or not; a menu in which its model is chosen goes back, since nobody could open it."""
    st.session_state[_ANSWERED] = True
    if not delete:
        return
    _try(delete_run, run_id)
    if _SAID not in st.session_state:
        st.session_state.pop(WATCHED, None)
    gone = short_name(f"run:{run_id}")
    for menu, usual in (("model", DEFAULT_MODEL), ("compare", address.NOTHING)):
        if _SAID not in st.session_state and str(st.session_state.get(menu)).startswith(gone):
            st.session_state[menu] = usual
            address.keep(menu, usual)


def _try(action, *arguments) -> None:
    try:
        action(*arguments)
    except UserError as error:
        st.session_state[_SAID] = str(error)


def _fill_in(run_id: str) -> None:
    """Put a run's model, set, settings and pairs into the form; as a callback, before any of its widgets is drawn."""
    try:
        asked = asked_of(run_id)
    except UserError as error:
        st.session_state[_SAID] = str(error)
        return
    st.session_state[FILLED] = True
    model = short_name(asked.source)
    st.session_state["model"] = model
    address.keep("model", model)
    training_settings.fill(asked.settings)
    launching.fill(launched_how(run_id))
    own_pairs.give(asked.pairs, asked.pairs_from)
    _choose_set(asked)
    for score, value in asked.settings.thresholds.items():
        st.session_state[address.threshold_name(score)] = value


def _choose_set(asked: Asked) -> None:
    """Choose what the run froze: a set that each run finds, one by the side of which it is a control, or neurons."""
    control, name = training_settings.control_of(asked.set_name)
    st.session_state[training_settings.CONTROL] = control
    if name in freezing.FOUND_BY_THE_RUN:
        st.session_state["freeze"] = name
    elif isinstance(asked.neurons, str):
        hand.take(name)
        st.session_state["freeze"] = name
    else:
        hand.replace(asked.neurons)
        st.session_state["freeze"] = hand.OWN
