"""Model: what is chosen, where it comes from, and whether its numbers can be trusted."""

import streamlit as st

from safeneuron.models.fit import weights_memory
from safeneuron.models.parity_report import kept_parity
from safeneuron.ui import chat_section, fitting, model_comparison, opening, resources, self_check, words
from safeneuron.ui.page import page
from safeneuron.ui.work import long_work

with page("Model", checked=False) as choice:
    card = choice.card
    loaded = resources.shelf().get(card) if resources.shelf().holds(card) else None

    st.subheader(card.title, anchor=False)
    st.markdown(card.origin)
    state = "in memory" if loaded else "ready" if card.ready else "to be prepared"
    facts = st.container(horizontal=True, gap="large")
    facts.metric("Layers", card.n_layers, width="content")
    facts.metric("Neurons per layer", f"{card.d_mlp:,}", width="content")
    facts.metric("Neurons", f"{card.n_neurons:,}", help=words.NEURON, width="content")
    if loaded:
        facts.metric("Memory", f"{loaded.bytes / 1e6:,.0f} MB", help="Of the weights.", width="content")
    else:
        size = weights_memory(card)
        unknown = "weights missing" if card.ready else "known once prepared"
        facts.metric(
            "Memory once open",
            f"{size / 1e6:,.0f} MB" if size else unknown,
            help="Of the weights; reckoned from their shapes, which stand at the head of their files.",
            width="content",
        )
    facts.metric("State", state, width="content")
    st.caption(
        f"Named `{card.source}` on the command line · results are kept under the fingerprint `{card.fingerprint}`"
        + (f" · {'the weights of' if card.plain else 'made from'} `{card.parent}`" if card.parent else "")
    )

    if not card.ready and not loaded:
        if not opening.offer_to_prepare(card):
            st.stop()
        with long_work(f"Preparing {card.title}", "prepare") as progress:
            resources.shelf().get(card, progress)
        st.rerun()

    if choice.other:
        model_comparison.show(choice, choice.other)

    fitting.show(card)

    st.subheader("Self-check", anchor=False, help=words.SELF_CHECK)
    report = kept_parity(card.fingerprint)
    if st.button(
        "Run the self-check again" if report else "Run the self-check",
        key="run_self_check",
        type="secondary" if report else "primary",
        icon=":material/fact_check:",
        help="A few seconds; the weights stay in memory once.",
    ):
        loaded = opening.opened(card)
        with long_work("Comparing three ways of switching neurons off", "self_check") as progress:
            progress("Running each on padded prompts", 0.1)
            from safeneuron.models.parity import check_parity

            check_parity(loaded)
        st.rerun()
    if report is None:
        st.markdown(
            "Not run yet. It switches a few random neurons off in three ways and compares the numbers; "
            "run it once before you trust any number of this model."
        )
    else:
        self_check.show(report)

    chat_section.show(card)
