"""The Model page's comparison: two models' facts side by side, and which neurons' weights differ."""

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.models.difference import WeightDifference, kept_difference, weight_difference, weights_bytes
from safeneuron.neurons import NeuronSet
from safeneuron.sizes import size_words
from safeneuron.ui import hand, resources, self_check, training_words
from safeneuron.ui.choice import Choice, label
from safeneuron.ui.work import asked, begun, long_work


def show(choice: Choice, other: ModelCard) -> None:
    """Show both models' facts in a column each, then what differs between their weights."""
    st.subheader(f"Compared with {label(other)}", anchor=False)
    facts = {label(card): _facts(card) for card in (choice.card, other)}
    names = next(iter(facts.values()))
    st.table([{"": name} | {title: found[name] for title, found in facts.items()} for name in names], hide_index=True)
    _weights(choice, other)


def _facts(card: ModelCard) -> dict[str, str]:
    size = weights_bytes(card)
    return {
        "Where from": card.origin,
        "Made from": card.parent or "—",
        "State": "in memory" if resources.shelf().holds(card) else "ready" if card.ready else "to be prepared",
        "Weights on disk": size_words(size) if size else "—",
        "Self-check": self_check.verdict(card),
        **_set_sizes(card),
    }


def _set_sizes(card: ModelCard) -> dict[str, str]:
    """Return the sizes of the sets that the thresholds select, where the model was scored."""
    table = resources.scores_of(card)
    sets = table.select(hand.thresholds()) if table else {}
    return {f"{name} neurons": f"{len(sets[name]):,}" if sets else "not scored yet" for name in ("ES", "SAS", "FULL")}


def _weights(choice: Choice, other: ModelCard) -> None:
    if len({(card.plain or card).fingerprint for card in (choice.card, other)}) == 1:
        st.caption("Both are the same weights, spoken to differently.")
        return
    found = kept_difference(choice.card, other)
    if found is None:
        if not (choice.card.ready and other.ready):
            st.caption("What differs between the weights can be measured once both models are prepared.")
            return
        size = weights_bytes(choice.card) + weights_bytes(other)
        if not asked(
            f"compare {choice.card.fingerprint} {other.fingerprint}",
            f"Compare the weights (reads {size_words(size)}, one tensor at a time)",
            "compare_weights",
            icon=":material/difference:",
        ):
            return
        begun()
        with long_work("Comparing the weights", "compare_weights", resumes=False) as progress:
            weight_difference(choice.card, other, progress)
        st.rerun()
    _difference(found, choice.hand, choice.card)


def _difference(found: WeightDifference, in_hand: NeuronSet | None, card: ModelCard) -> None:
    row = st.container(horizontal=True, gap="medium")
    row.metric(
        "Neurons whose weights differ",
        f"{found.count:,} of {card.n_neurons:,}",
        help=training_words.CHANGED,
        width="content",
    )
    if in_hand:
        row.metric(
            f"of them in the set in hand, {hand.label(hand.name_in_hand())}",
            f"{found.count_in(in_hand):,} of {len(in_hand):,}",
            help=training_words.CHANGED,
            width="content",
        )
    row.metric("Largest difference of a weight", f"{found.largest:.2g}", width="content")
    row.metric(
        "Other tensors that differ",
        f"{found.others_changed} of {found.others}",
        help="Attention, norms and embeddings.",
        width="content",
    )
