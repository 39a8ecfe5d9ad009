"""The answers behind the rates, folded until opened: what each judge says of them, and a person's last word."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import streamlit as st

from safeneuron.refusal.agreement import agreement, disagreements_first
from safeneuron.refusal.corrections import Corrections
from safeneuron.refusal.judge import KINDS, Judge, Verdict
from safeneuron.ui import marked_text, refusal_words
from safeneuron.ui.answer_choice import Asked
from safeneuron.ui.conditions import Judged

PER_PAGE = 16
_KEEP = "as judged"
Found = Mapping[str, Mapping[str, Judged]]
"""By condition and prompt."""


def show(judged: Found, asked: Asked, corrections: Corrections) -> None:
    """List the prompts, those first on whose answers the judges disagree, and offer the corrections as a file."""
    _offer(corrections)
    for kind, prompts in asked.prompts.items():
        answered = [prompt for prompt in prompts if any(prompt in found for found in judged.values())]
        if not answered:
            continue
        if asked.second:
            _agreement(judged, answered, asked)
            answered = _disputed_first(judged, answered)
        st.markdown(f"**Answers to {kind} prompts**" if kind != "own" else "**Answers to your prompts**")
        pages = -(-len(answered) // PER_PAGE)
        page = st.pagination(pages, key=f"answers_{kind}_{pages}") if pages > 1 else 1
        for prompt in answered[(page - 1) * PER_PAGE : page * PER_PAGE]:
            _prompt({name: found[prompt] for name, found in judged.items() if prompt in found}, prompt, asked)


def _prompt(found: Mapping[str, Judged], prompt: str, asked: Asked) -> None:
    verdicts = ", ".join(f"{condition} {_label(one)}" for condition, one in found.items())
    # With a key, so that it stays open when a verdict in its label changes.
    with st.expander(f"{marked_text.plain(prompt)} — {verdicts}", key=f"answer_{hash(prompt)}"):
        reference = next(iter(found.values())).answer
        for column, (condition, one) in zip(st.columns(len(found)), found.items(), strict=True):
            column.markdown(f"**{condition}** · {_reason(one.verdict, asked.judge)}")
            if one.second:
                column.caption(f"{asked.second.name}: {_reason(one.second, asked.second)}")
            column.html(marked_text.answer_html(one.answer, reference, marked_text.deciding(asked.judge, one.verdict)))
            _overrule(column, condition, one, asked.judge)


def _label(one: Judged) -> str:
    mark = f" ≠ {one.second}" if one.disputed else ""
    return f"{one.verdict}{mark}" + (" (overruled)" if one.verdict.overruled else "")


def _reason(verdict: Verdict, judge: Judge) -> str:
    if verdict.overruled:
        return f"{verdict}: your verdict, where {judge.name} said {verdict.overruled}"
    if verdict.because:
        return f"{verdict}: {marked_text.plain(verdict.because)}"
    return f"{verdict}: {judge.name} found no refusal in it"


def _overrule(place: "st.delta_generator.DeltaGenerator", condition: str, one: Judged, judge: Judge) -> None:
    """Let the person say what the answer is; their word counts in the rate at once."""
    key = f"overrule_{hash((condition, one.answer.prompt, one.answer.text))}"
    judged = one.verdict.judged
    said = one.verdict.kind if one.verdict.overruled else _KEEP
    if st.session_state.get(key) != said:
        st.session_state[key] = said

    def keep() -> None:
        chosen, corrections = st.session_state[key], Corrections()
        if chosen in (_KEEP, judged):
            corrections.take_back(one.answer.prompt, one.answer.text)
        else:
            corrections.overrule(one.answer.prompt, one.answer.text, chosen, judge.name, judged)

    place.selectbox(
        "Your verdict",
        [_KEEP, *KINDS],
        format_func=lambda kind: f"{_KEEP}: {judged}" if kind == _KEEP else kind,
        key=key,
        on_change=keep,
        help=refusal_words.OVERRULE,
    )


def _offer(corrections: Corrections) -> None:
    """Offer what people overruled as a file."""
    found = corrections.all()
    if found:
        st.download_button(
            f"Your {len(found)} {'correction' if len(found) == 1 else 'corrections'} (JSONL)",
            "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found),
            file_name="safeneuron-corrections.jsonl",
            mime="application/jsonl",
            key="corrections",
            on_click="ignore",
            icon=":material/download:",
        )


def _agreement(judged: Found, prompts: Sequence[str], asked: Asked) -> None:
    pairs = [one for found in judged.values() for prompt in prompts if (one := found.get(prompt))]
    said = agreement(
        [one.verdict for one in pairs], [one.second for one in pairs], (asked.judge.name, asked.second.name)
    )
    st.caption(f"{said}. Answers that they disagree on come first, marked ≠.", help=refusal_words.DISAGREEMENT)


def _disputed_first(judged: Found, prompts: Sequence[str]) -> list[str]:
    first, second = [], []
    for prompt in prompts:
        of_prompt = [found[prompt] for found in judged.values() if prompt in found]
        shown = next((one for one in of_prompt if one.disputed), of_prompt[0])
        first.append(shown.verdict)
        second.append(shown.second)
    return [prompts[place] for place in disagreements_first(first, second)]
