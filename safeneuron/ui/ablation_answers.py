"""The answers of the Ablation page: written behind the meter, prompt by prompt, while the rates fill up.

They are written in the script's own thread, which the next switch interrupts at a token; what was complete
by then is kept.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from safeneuron import duration, pace
from safeneuron.ablation.specification import Ablation
from safeneuron.models.fit import GENERATING
from safeneuron.prompts.answers import MAX_NEW_TOKENS, KeptAnswer
from safeneuron.refusal.judging import coherence_of, kept_coherence, measured, unread
from safeneuron.ui import answer_choice, answer_rates, fitting, judged_texts, opening, refusal_words, resources, work
from safeneuron.ui.answer_choice import Asked
from safeneuron.ui.choice import Choice
from safeneuron.ui.conditions import Condition, Records, conditions, judged_answers, let_judge, unjudged

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

CHUNK = 4
"""Prompts answered together: few enough that the first answers are there soon."""
_WRITE = "write_answers"


def show(choice: Choice, ablation: Ablation, name: str, place: "st.delta_generator.DeltaGenerator") -> None:
    """Write what answers are missing, unless the person stopped that, and show rates and texts.

    Parameters
    ----------
    place : DeltaGenerator
        Where the rates stand, within sight of the meter; the texts come here.
    """
    with place:
        st.markdown("**Answers**", help=refusal_words.REFUSAL_RATE)
        asked = answer_choice.show()
        if asked is None:
            return
        if not asked.all_prompts:
            st.caption("Write a prompt or more above, and how they are answered appears here.")
            return
        shown = conditions(choice, ablation, name)
        records = Records.of(shown)
        missing = {condition: _missing(condition, asked, records) for condition in shown}
        count = sum(map(len, missing.values()))
        on = _switch(shown)
        cost, rates, live = st.empty(), st.empty(), st.empty()
    if count:
        cost.caption(f"{count} to {'go' if on else 'write'}: {duration.of_answers(count, choice.card)}")

    def draw_rates() -> Mapping[Condition, Mapping]:
        judged = {condition: judged_answers(condition, asked.all_prompts, asked.judges, records) for condition in shown}
        with rates.container():
            verdicts = {
                condition.name: {prompt: one.verdict for prompt, one in found.items()}
                for condition, found in judged.items()
            }
            if any(verdicts.values()):
                answer_rates.show(verdicts, asked.prompts, asked.judge)
        return judged

    judged = draw_rates()
    if on and (count or any(_unread(condition, asked, records) for condition in shown)):
        _write(missing, asked, records, live, draw_rates)
        cost.empty()
        judged = draw_rates()
    with place:
        if _let_models_judge(shown, asked, records):
            judged = draw_rates()
    if any(judged.values()):
        judged_texts.show({condition.name: found for condition, found in judged.items()}, asked, records.corrections)
    else:
        st.caption("Answers of at most 64 tokens stand here, judged one by one and folded until opened.")


def _let_models_judge(shown: Sequence[Condition], asked: Asked, records: Records) -> bool:
    """Offer to open the judges that are models, where they have not read an answer yet; return whether they did."""
    waiting = unjudged(shown, asked.all_prompts, asked.judges, records)
    names = " and ".join(judge.name for judge in asked.judges if "model" in judge.needs)
    if not waiting or not work.asked(
        f"judge {names} {len(waiting)}",
        f"Let {names} judge {len(waiting)} answers",
        "let_judge",
        type="primary",
        icon=":material/gavel:",
        help=refusal_words.MODEL_JUDGE,
    ):
        return False
    work.begun()
    with work.long_work(f"{names} reads {len(waiting)} answers", "judging", resumes=False) as progress:
        let_judge(asked.judges, waiting, progress)
    return True


def _missing(condition: Condition, asked: Asked, records: Records) -> list[str]:
    kept = records.answers[condition]
    return [prompt for prompt in asked.all_prompts if kept.get(prompt) is None]


def _unread(condition: Condition, asked: Asked, records: Records) -> list[KeptAnswer]:
    """Return the answers that were written, and then not read for whether they make sense."""
    if condition.ablation is None:
        return []
    perplexities = records.perplexities[condition.card.fingerprint]
    return unread(perplexities, records.given(condition, asked.all_prompts), asked.judges)


def _switch(shown: Sequence[Condition]) -> bool:
    """Draw the switch that lets answers be written; return whether it is on."""
    few = replace(GENERATING, batch=CHUNK)
    fits = all(fitting.allowed(card, few) for card in dict.fromkeys(condition.card for condition in shown))
    on = st.toggle(
        "Write answers after each switch",
        value=True,
        key=_WRITE,
        persist_state="session",
        disabled=not fits,
        help=refusal_words.WRITING,
    )
    return bool(on and fits)


def _write(
    missing: Mapping[Condition, Sequence[str]],
    asked: Asked,
    records: Records,
    live: "st.delta_generator.DeltaGenerator",
    draw_rates: Callable[[], object],
) -> None:
    """Answer a few prompts at a time under one condition after the other, so that their rates fill up together."""
    loaded = {condition: opening.opened(condition.card) for condition in missing}
    missing = _readable(loaded, missing)
    total, done = sum(map(len, missing.values())), 0
    with live.container(border=True):
        status = st.empty()
        with st.expander("The answers as they are written", key="answers_written"):
            text = st.empty()
        st.caption("The list below follows when all are written.")
    drawn = 0.0

    def on_tokens(answers: Sequence) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn >= work.REDRAW_SECONDS:
            drawn = now
            # Drawing is also where Streamlit stops this run when the person has moved on.
            text.text("\n\n".join(f"› {answer.prompt}\n{answer.text}" for answer in answers))

    def waits(step: str, fraction: float) -> None:
        status.progress(done / total, step)

    with work.compute():
        for chunk in _chunks(missing, asked.all_prompts):
            for condition, prompts in chunk.items():
                status.progress(done / total, f"Writing under {condition.name}, {done} of {total}")
                with (
                    resources.alone(f"answers {condition.card.fingerprint} {condition.done}", waits),
                    pace.measured("answer", len(prompts), condition.card),
                ):
                    kept = records.answers[condition]
                    # Those who had the turn before may have answered the same prompts.
                    kept.read_again()
                    kept.answers(loaded[condition], prompts, on_tokens=on_tokens, batch_size=CHUNK)
                done += len(prompts)
                _read(condition, loaded[condition], asked, records, status)
            draw_rates()
        for condition in missing:
            _read(condition, loaded[condition], asked, records, status)
        for card in dict.fromkeys(condition.card for condition in missing):
            perplexities = records.perplexities[card.fingerprint]
            if kept_coherence(perplexities).bound is None:
                status.progress(1.0, "Measuring what makes sense to the model, once (24 benign answers)")
                condition = next(found for found in missing if found.card == card)
                coherence_of(loaded[condition], lambda step, share: status.progress(share, step), perplexities)
    live.empty()


def _readable(
    loaded: "Mapping[Condition, LoadedModel]", missing: Mapping[Condition, Sequence[str]]
) -> dict[Condition, list[str]]:
    """Return the prompts that the models can answer, and say once why they cannot answer the others."""
    from safeneuron.models.context import unreadable

    refused = {
        condition: unreadable(loaded[condition], prompts, MAX_NEW_TOKENS) for condition, prompts in missing.items()
    }
    for reason in dict.fromkeys(reason for found in refused.values() for reason in found.values()):
        st.warning(f"Left out: {reason}", icon=":material/content_cut:")
    return {
        condition: [prompt for prompt in prompts if prompt not in refused[condition]]
        for condition, prompts in missing.items()
    }


def _read(
    condition: Condition,
    loaded: "LoadedModel",
    asked: Asked,
    records: Records,
    status: "st.delta_generator.DeltaGenerator",
) -> None:
    """Let the unablated model read what was written, which tells a broken model from one that answers."""
    answers = _unread(condition, asked, records)
    if answers:

        def report(step: str, fraction: float) -> None:
            status.progress(fraction, f"{condition.name}: does it make sense? The unablated model reads it")

        measured(
            loaded, condition.ablation, answers, asked.judges, report, records.perplexities[condition.card.fingerprint]
        )


def _chunks(missing: Mapping[Condition, Sequence[str]], order: Sequence[str]) -> list[dict[Condition, list[str]]]:
    """Return a few prompts at a time, and who still has to answer them.

    Those that some condition answered before come first, so that all rates are soon over the same prompts again,
    also after a switch has cut in.
    """
    lacks = {condition: set(prompts) for condition, prompts in missing.items()}
    wanting = {prompt: [condition for condition, prompts in lacks.items() if prompt in prompts] for prompt in order}
    waiting = sorted((prompt for prompt in order if wanting[prompt]), key=lambda prompt: len(wanting[prompt]))
    chunks = []
    for start in range(0, len(waiting), CHUNK):
        some = waiting[start : start + CHUNK]
        asked = {condition: [prompt for prompt in some if condition in wanting[prompt]] for condition in missing}
        chunks.append({condition: prompts for condition, prompts in asked.items() if prompts})
    return chunks
