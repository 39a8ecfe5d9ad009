"""The neuron card of the Neurons page: which neuron it is of, its numbers, and what is still to be measured."""

import streamlit as st

from safeneuron import duration, pace
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import SCORING
from safeneuron.neuron_card.card import Examination, check_neuron, kept_examination, name_of
from safeneuron.neuron_card.records import Records, bytes_to_keep, kept_records, prompts_to_read
from safeneuron.neuron_card.standing import Ranking, Standing
from safeneuron.neurons import Neuron, NeuronSet, parse_neurons
from safeneuron.prompts.choices import BUILT_IN
from safeneuron.prompts.classes import PromptClasses
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.sizes import size_words
from safeneuron.statistics import POOLINGS
from safeneuron.ui import chosen_neuron, fitting, hand, neuron_card_parts, opening, resources, words
from safeneuron.ui.choice import Choice
from safeneuron.ui.result_menu import Wanted
from safeneuron.ui.work import asked, begun, long_work


def show(choice: Choice, ranking: Ranking, wanted: Wanted) -> None:
    """Draw the card of the neuron in the address, or how to open one.

    Parameters
    ----------
    choice : Choice
        Of a model that was scored.
    ranking : Ranking
        By the score that is shown.
    wanted : Wanted
        What the map shows; the card is of the same prompts.
    """
    with st.container(key=chosen_neuron.CARD_AREA):
        st.subheader("Neuron card", anchor=False, help=words.CARD)
        place = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        place.text_input(
            "Neuron, as layer:index", key="neuron", placeholder="such as 15:766", width=170, help=words.NEURON
        )
        text = st.session_state["neuron"].strip()
        if not text:
            place.button(
                f"Open the neuron with the highest {ranking.name}",
                key="open_strongest",
                icon=":material/open_in_full:",
                on_click=_open,
                args=(ranking.first(),),
            )
            return
        try:
            (neuron,) = parse_neurons([text])
            check_neuron(neuron, choice.table.shape)
        except UserError as error:
            _close(place)
            st.error(str(error), icon=":material/error:")
            return
        where = ranking.standing(neuron)
        _buttons(place, neuron, where, ranking.name, choice.hand)
        _card(choice, neuron, where, ranking, wanted)
        chosen_neuron.bring_into_view()


def _open(neuron: Neuron | None) -> None:
    st.session_state["neuron"] = name_of(neuron) if neuron else ""


def _buttons(
    place: st.delta_generator.DeltaGenerator, neuron: Neuron, where: Standing, name: str, in_hand: NeuronSet
) -> None:
    for label, other, icon in (
        ("Previous", where.before, ":material/arrow_upward:"),
        ("Next", where.after, ":material/arrow_downward:"),
    ):
        place.button(
            label,
            key=f"card_{label.lower()}",
            icon=icon,
            on_click=_open,
            args=(other,),
            disabled=other is None,
            help=f"The neuron one rank {'higher' if label == 'Previous' else 'lower'} by {name}.",
        )
    is_in = neuron in in_hand
    place.button(
        "Take out of the set" if is_in else "Put into the set",
        key="card_set",
        icon=":material/remove:" if is_in else ":material/add:",
        on_click=hand.change,
        args=([neuron],),
        help=words.NEURON_SET,
    )
    _close(place)


def _close(place: st.delta_generator.DeltaGenerator) -> None:
    place.button("Close", key="card_close", icon=":material/close:", on_click=_open, args=(None,))


def _card(choice: Choice, neuron: Neuron, where: Standing, ranking: Ranking, wanted: Wanted) -> None:
    card, pooling = choice.card, wanted.request.pooling
    own = wanted.prompts != BUILT_IN
    classes = wanted.request.classes if own else None
    records = kept_records(card.fingerprint, pooling, classes)
    examined = kept_examination(card.fingerprint, neuron, records)
    activity = neuron_card_parts.activity_of(records, neuron) if records else None
    _numbers(choice.table, neuron, where, ranking.name, records, examined)
    # Filled last, so that all that is known stays to be read while something is measured.
    offers = st.container()
    if activity:
        neuron_card_parts.figures(activity, neuron, pooling)
    if examined.weight:
        neuron_card_parts.promoted(examined.weight)
    neuron_card_parts.neighbours(activity, examined, neuron, ranking, choice.hand)
    if activity:
        neuron_card_parts.prompts(activity.extremes, examined.tokens)
    with offers:
        if own or pooling != POOLINGS[0]:
            st.caption(
                f":material/info: Figures, prompts and neighbours are of {wanted.prompts}, read at {pooling}; ES, SAS "
                f"and means above are of the {BUILT_IN}, read at {POOLINGS[0]}."
            )
        _alone(neuron)
        if records is None:
            _offer_reading(card, wanted, classes)
        if not examined.complete(records):
            _offer_examination(card, neuron, records)


def _numbers(
    table: ScoreTable, neuron: Neuron, where: Standing, name: str, records: Records | None, examined: Examination
) -> None:
    row = st.container(horizontal=True, gap="medium")
    row.metric(f"Rank by {name}", f"{where.rank:,} of {where.of:,}", help=words.RANK, width="content")
    for label, score in identifying_scores().items():
        value = table.values(label)[neuron]
        row.metric(f"{label}, {score.unit}", f"{value:.2f}", help=getattr(words, label), width="content")
    row.metric(
        "Mean, harmful | benign",
        f"{table.harmful.mean[neuron]:.2f} | {table.benign.mean[neuron]:.2f}",
        help="Mean activation on the harmful and on the benign prompts.",
        width="content",
    )
    if examined.weight and records:
        cosine = examined.weight.refusal_cosine(records, neuron[0])
        shown = "—" if cosine is None else f"{cosine:+.2f}"
        row.metric("Cosine with refusal", shown, help=words.REFUSAL_DIRECTION, width="content")
    if examined.effect:
        effect = examined.effect
        row.metric(
            "Refusal log-odds, off alone",
            str(effect.harmful),
            f"{effect.benign.value:+.2f} on benign prompts",
            delta_color="off",
            delta_arrow="off",
            help=words.OFF_ALONE,
            width="content",
        )
        ratio = effect.perplexity_ratio
        shown = "—" if ratio is None else f"× {ratio:.3f}"
        row.metric("Perplexity, off alone", shown, help=words.PERPLEXITY, width="content")


def _alone(neuron: Neuron) -> None:
    """Offer to take this neuron alone to the Ablation page."""
    if st.button(
        "Switch off this neuron alone, and read the answers",
        key="card_alone",
        icon=":material/toggle_off:",
        help=words.ABLATION,
    ):
        hand.take("ORI")
        hand.change([neuron])
        st.switch_page("pages/ablation.py")


def _offer_reading(card: ModelCard, wanted: Wanted, classes: PromptClasses | None) -> None:
    pooling = wanted.request.pooling
    count = prompts_to_read(card.fingerprint, pooling, classes)
    time = duration.of_reading(count, card, resources.shelf().holds(card))
    if not asked(
        f"read {card.fingerprint} {pooling} {wanted.prompts}",
        f"Read every neuron's activations on {count:,} prompts, once for all cards ({time})",
        "card_read",
        icon=":material/query_stats:",
        type="primary",
        disabled=not fitting.allowed(card, SCORING),
        help="For distributions, categories, prompts, and neurons that are active together. They take "
        f"{size_words(bytes_to_keep(count, card.shape))} on disk.",
    ):
        return
    loaded = opening.opened(card)
    from safeneuron.neuron_card.records import read_records

    begun()
    with pace.measured("reading", count, card), long_work("Reading the activations", "card_read") as progress:
        read_records(loaded, pooling, progress, classes)
    st.rerun()


def _offer_examination(card: ModelCard, neuron: Neuron, records: Records | None) -> None:
    name = name_of(neuron)
    time = duration.of_examination(card, resources.shelf().holds(card))
    if not asked(
        f"examine {card.fingerprint} {name}",
        f"Examine {name}: its weights, its tokens, and the model without it ({time})",
        "card_examine",
        icon=":material/biotech:",
        type="primary" if records else "secondary",
        help=words.ABLATION,
    ):
        return
    loaded = opening.opened(card)
    from safeneuron.neuron_card.card import examine

    begun()
    with pace.measured("examination", 1, card), long_work(f"Examining neuron {name}", "card_examine") as progress:
        examine(loaded, resources.panel_of(loaded), neuron, records, progress)
    st.rerun()
