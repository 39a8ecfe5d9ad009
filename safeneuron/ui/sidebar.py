"""The sidebar, the same on every page: model, comparison, self-check, set in hand, run in progress."""

import streamlit as st

from safeneuron.comparison import require_same_shape
from safeneuron.errors import UserError, shortened
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.ui import address, hand, run_monitor, self_check, words
from safeneuron.ui.address import NOTHING
from safeneuron.ui.choice import Choice, card_of, model_names, other_names, short_name
from safeneuron.ui.told_menu import told_menu

_USABLE, _REFUSED = "usable_model", "refused_model"
_LINKED = "linked_model"
"""The session's model that a link compared with, so that it stays in the menu."""


def model_menu() -> tuple[str, str | None]:
    """Draw the two menus and return the model's name and the name of the one compared with, if any."""
    names = _with_typed(model_names(st.session_state["model"] or DEFAULT_MODEL))
    with st.sidebar:
        source = st.selectbox(
            "Model",
            names,
            key="model",
            accept_new_options=True,
            help=words.MODEL,
            on_change=_try_model,
            placeholder="A model's name or folder",
        )
        source = (source or DEFAULT_MODEL).strip()
        try:
            card = card_of(source)
            others = _with_linked(card)
            st.session_state[_USABLE] = source
        except UserError:
            # The page says what is wrong with the name.
            others = []
        compared = NOTHING
        if others:
            compared = st.selectbox("Compare with", [NOTHING, *others], key="compare", help=words.COMPARE)
    return source, None if compared == NOTHING else compared


def _with_linked(card: ModelCard) -> list[str]:
    """Return the models that a model can be compared with, that which a link names among them, such as a folder.

    A run's whole id in a link becomes what the menu has; what cannot be compared is said, with the reason.
    """
    others, wanted = other_names(card), st.session_state["compare"]
    earlier = st.session_state.get(_LINKED)
    if earlier and earlier.shape == card.shape and earlier.fingerprint != card.fingerprint:
        others = list(dict.fromkeys([*others, short_name(earlier.source)]))
    if wanted in (NOTHING, *others):
        return others
    try:
        linked = card_of(wanted)
        require_same_shape(card, linked)
        if linked.fingerprint == card.fingerprint:
            raise UserError("It is the chosen model itself.")
    except UserError as error:
        st.caption(f":material/link_off: {shortened(wanted)} cannot be compared with this model. {error}")
        st.session_state["compare"] = NOTHING
        return others
    st.session_state["compare"] = name = short_name(linked.source)
    if name not in others:
        st.session_state[_LINKED] = linked
        others.append(name)
    return others


def refusal() -> None:
    """Say why the name that was typed last was not taken, once."""
    refused = st.session_state.pop(_REFUSED, None)
    if refused:
        st.error(f"{refused} The model stays {st.session_state['model']}.", icon=":material/error:")


def _try_model() -> None:
    """Go back to the model before if what was typed names none, so that a slip of the pen costs nothing."""
    typed, usable = st.session_state["model"], st.session_state.get(_USABLE)
    if not (typed and usable):
        return
    # The check may have to hash a folder, and whoever clicks on meanwhile has still chosen this model.
    address.keep("model", typed)
    try:
        card_of(typed.strip())
    except UserError as error:
        st.session_state["model"] = usable
        address.keep("model", usable)
        st.session_state[_REFUSED] = str(error)


def _with_typed(names: list[str]) -> list[str]:
    """Return the menu with the folders that were typed or came with a link, so that they stay in it."""
    typed = st.session_state.setdefault("typed_models", [])
    present = st.session_state["model"]
    if present and present not in names + typed:
        typed.append(present)
    return names + [name for name in typed if name not in names]


def rest(choice: Choice, monitor: bool) -> None:
    """Draw what follows from the choice: the model in words, the set in hand, the run in progress."""
    card = choice.card
    with st.sidebar:
        ready = "" if card.ready else " · to be prepared"
        st.caption(f"**{card.title}** · {card.n_layers} × {card.d_mlp:,} neurons{ready}")
        if choice.other:
            st.caption(f"compared with **{choice.other.title}**")
        self_check.badge(card)
        st.divider()
        _set_in_hand(choice)
        if monitor:
            run_monitor.in_sidebar()


def _set_in_hand(choice: Choice) -> None:
    if choice.hand is None:
        st.markdown("**Set in hand** · none yet", help=words.NEURON_SET)
        st.caption("Score this model's neurons on the Neurons page.")
        return
    name, named = hand.name_in_hand(), hand.label(st.session_state["set"])
    st.metric(
        f"Set in hand: {hand.label(name)}",
        "1 neuron" if len(choice.hand) == 1 else f"{len(choice.hand):,} neurons",
        help=f"{words.SETS.get(name, f'`{name}` · {words.KEPT}')} {words.NEURON_SET}",
    )
    st.caption(f"{choice.hand.share:.2%} of the model's neurons")
    told_menu(
        st.container(),
        "Take another set in hand",
        hand.names(choice.card),
        name,
        "set_menu",
        hand.take,
        format_func=hand.label,
        help="Those that every model has, and those that you keep: see Neuron sets on the Neurons page.",
    )
    if address.leaves_out("set"):
        st.caption(":material/link_off: Too long for a link: a link, or a reload, gives FULL. Keep it under a name.")
    elif address.leaves_out("changes"):
        st.caption(
            f":material/link_off: Too many clicked neurons for a link: a link, or a reload, gives {named} without them."
        )
