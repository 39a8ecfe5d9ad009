"""The five bars of a model, computed when asked for, and beside another model's where one is chosen."""

from collections.abc import Mapping

import streamlit as st

from safeneuron import duration, pace
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import GENERATING
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.evaluated import EvaluationPrompts, built_in_prompts
from safeneuron.robustness import CONDITIONS, EvaluationSettings, answers_to_give, kept_evaluation
from safeneuron.ui import answer_texts, fitting, hand, opening, rate_figures, refusal_words, resources, training_words
from safeneuron.ui.choice import Choice, label
from safeneuron.ui.work import asked, begun, long_work

SIZES = {"16 of each": 16, "32 of each": 32, "all 80 of each": None}
SETTINGS = EvaluationSettings()


def show(choice: Choice, fits: bool) -> None:
    """Show the bars on the built-in test prompts, or offer to compute them, where the chosen model fits."""
    st.subheader(f"{choice.card.title}, on the built-in test prompts", anchor=False, help=refusal_words.REFUSAL_RATE)
    size = st.segmented_control(
        "Test prompts: harmful, benign, and safe twins of the harmful ones",
        list(SIZES),
        default="16 of each",
        required=True,
        key="evaluation_size",
        persist_state="session",
        help=training_words.TWINS,
    )
    prompts = built_in_prompts().head(SIZES[size])
    further = _further(choice)
    tables, missing = {}, []
    for card in (choice.other, choice.card) if choice.other else (choice.card,):
        scored = resources.scores_of(card)
        if scored is None:
            st.info(f"{card.title} has not been scored yet; choose it as Model and score its neurons.")
            continue
        sets = {**scored.select(hand.thresholds()), **further}
        found = kept_evaluation(card.fingerprint, sets, prompts, SETTINGS)
        if found is None:
            missing.append((card, sets))
        else:
            tables[label(card)] = found
    if missing:
        others = [card for card, _ in missing if card != choice.card]
        _offer(missing, prompts, fits and all(fitting.allowed(card, GENERATING) for card in others))
    if not tables:
        return
    rate_figures.show(tables, "bars")
    for title, table in tables.items():
        answer_texts.browse(table.answers, f"The answers behind the bars, {title}", key=f"texts_{table.model}")


def _further(choice: Choice) -> dict[str, NeuronSet]:
    """Return the set in hand where it is none of the five and the person wants a bar of it."""
    name = hand.label(hand.name_in_hand())
    if choice.hand is None or name in CONDITIONS:
        return {}
    wanted = st.toggle(
        f"A bar for the set in hand too: {name}, {len(choice.hand):,} neurons",
        key="further_bar",
        persist_state="session",
        help="RANDOM stays the control of FULL; for one of this set, take random(SET) in hand on the Neurons page.",
    )
    return {name: choice.hand} if wanted else {}


def _offer(missing: list[tuple[ModelCard, Mapping[str, NeuronSet]]], prompts: EvaluationPrompts, fits: bool) -> None:
    """Offer to answer, for one model or two, the prompts that have no answer yet."""
    counts = [answers_to_give(card.fingerprint, sets, prompts, SETTINGS) for card, sets in missing]
    if not asked(
        " ".join(["bars", *(f"{card.fingerprint} {count}" for (card, _), count in zip(missing, counts, strict=True))]),
        f"Compute the bars of {' and '.join(label(card) for card, _ in missing)}: {sum(counts)} answers "
        f"({duration.of_answers(sum(counts), missing[0][0], bulk=True)})",
        "evaluate",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not fits,
        help="Answers that were given before, here or on the Ablation page, are not given again. Among the first ones "
        "are each model's own answers to a few benign prompts, by which incoherent answers are told.",
    ):
        return
    loaded_models = [opening.opened(card) for card, _ in missing]
    begun()
    for (card, sets), count, loaded in zip(missing, counts, loaded_models, strict=True):
        step = f"Answering {len(prompts)} prompts under each ablation, {label(card)}"
        with pace.measured("bulk answer", count, card), long_work(step, f"evaluate_{card.fingerprint}") as progress:
            from safeneuron.evaluation import evaluate_once

            evaluate_once(loaded, sets, prompts, SETTINGS, progress)
    st.rerun()
