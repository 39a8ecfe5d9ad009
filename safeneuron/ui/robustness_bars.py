"""The five bars of a model, computed when asked for, and beside another model's where one is chosen."""

import streamlit as st

from safeneuron import pace
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import GENERATING
from safeneuron.plots.refusal_bars import refusal_bars
from safeneuron.robustness import EvaluationSettings, RobustnessTable, kept_evaluation
from safeneuron.scoring import test_prompts
from safeneuron.ui import answer_texts, figure, fitting, hand, opening, resources, words
from safeneuron.ui.choice import Choice, label
from safeneuron.ui.work import long_work

SIZES = {"16 + 16": 16, "32 + 32": 32, "all: 80 + 80": None}


def show(choice: Choice) -> None:
    """Show the bars on the built-in test prompts, or offer to compute them."""
    st.subheader(f"{choice.card.title}, on the built-in test prompts", anchor=False, help=words.REFUSAL_RATE)
    size = st.segmented_control(
        "Test prompts (harmful + benign)",
        list(SIZES),
        default="16 + 16",
        required=True,
        key="evaluation_size",
        persist_state="session",
    )
    tables = {}
    for card in (choice.other, choice.card) if choice.other else (choice.card,):
        found = _kept_or_computed(card, SIZES[size])
        if found is not None:
            tables[label(card)] = found
    if not tables:
        return
    rows = {title: table.rows() for title, table in tables.items()}
    for column, kind in zip(st.columns(2), ("harmful", "benign"), strict=True):
        with column:
            figure.show(refusal_bars(rows, kind), key=f"bars_{kind}")
    for title, table in tables.items():
        answer_texts.browse(table.answers, f"The answers behind the bars, {title}", key=f"texts_{table.model}")


def _kept_or_computed(card: ModelCard, limit: int | None) -> RobustnessTable | None:
    table = resources.scores_of(card)
    if table is None:
        st.info(f"{card.title} has not been scored yet; choose it as Model and score its neurons.")
        return None
    sets = table.select(hand.thresholds())
    prompts = [part.head(limit) for part in test_prompts()]
    settings = EvaluationSettings()
    found = kept_evaluation(card.fingerprint, sets, *prompts, settings)
    if found is not None:
        return found
    count = settings.answers(*prompts)
    asked = st.button(
        f"Compute the bars of {card.title}: {count} answers ({pace.of_answers(count, card, bulk=True)})",
        type="primary",
        key=f"evaluate_{card.fingerprint}",
        icon=":material/play_arrow:",
        disabled=not fitting.allowed(card, GENERATING),
    )
    if not asked:
        return None
    loaded = opening.opened(card)
    with pace.measured("bulk answer", count, card), long_work(f"Answering {count} prompts", "evaluate") as progress:
        from safeneuron.evaluation import evaluate_once

        evaluate_once(loaded, sets, *prompts, settings, progress)
    st.rerun()
