"""The answers of the Ablation page: on many prompts with their rates, and on one of the person's own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import DEFAULT_JUDGE
from safeneuron.refusal.rates import rate_of
from safeneuron.scoring import test_prompts
from safeneuron.ui import pace, resources, words
from safeneuron.ui.work import compute, long_work

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

CHUNK = 4
"""Prompts answered together: few enough that answers keep appearing, and Stop is heard, every few seconds."""

SIZES = ("the panel: 8 + 8", "16 + 16", "40 + 40", "all: 80 + 80")
Rows = dict[str, dict[str, Any]]


def on_prompts(loaded: "LoadedModel", off: NeuronSet, name: str) -> None:
    """Offer to generate answers as the model is and with the neurons off; show rates and answers."""
    st.subheader("Answers", anchor=False, help=words.REFUSAL_RATE)
    size = st.segmented_control(
        "Test prompts (harmful + benign)",
        SIZES,
        default=SIZES[0],
        required=True,
        key="answer_prompts",
        persist_state="session",
    )
    harmful, benign = _prompts(size)
    conditions = [("ORI", _none(off))] + ([(name, off)] if len(off) else [])
    missing = {
        condition: [p for p in harmful + benign if resources.answers().peek(_key(loaded, neurons, p)) is None]
        for condition, neurons in conditions
    }
    count = sum(map(len, missing.values()))
    if count:
        asked = st.button(
            f"Generate {count} answers ({pace.of_answers(count)})",
            type="primary",
            key="generate",
            icon=":material/play_arrow:",
        )
        if asked:
            with pace.measured("answer", count), long_work(f"Generating {count} answers", "answers") as progress:
                for condition, neurons in conditions:
                    _generate(loaded, neurons, condition, missing[condition], progress)
            st.rerun()
    answered = {
        condition: {p: row for p in harmful + benign if (row := resources.answers().peek(_key(loaded, neurons, p)))}
        for condition, neurons in conditions
    }
    if not any(answered.values()):
        st.caption("Answers of at most 64 tokens, judged one by one. Those to harmful prompts stay folded.")
        return
    _rates(answered, harmful, benign)
    _texts(answered, harmful, benign)


def _prompts(size: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if size == SIZES[0]:
        prompts, is_harmful = resources.panel_prompts()
        count = sum(is_harmful)
        return prompts[:count], prompts[count:]
    harmful, benign = test_prompts()
    limit = None if size == SIZES[-1] else int(size.split(" + ")[0])
    return harmful.head(limit).prompts, benign.head(limit).prompts


def _generate(loaded: "LoadedModel", neurons: NeuronSet, condition: str, prompts: Sequence[str], progress: Any) -> None:
    """Answer a few prompts at a time and keep each row at once, so that a stop loses little."""
    from safeneuron.robustness import answers_under

    step = f"Answering under {condition}"
    place = st.empty()
    for start in range(0, len(prompts), CHUNK):
        chunk = tuple(prompts[start : start + CHUNK])

        def report(_: str, fraction: float) -> None:
            progress(step, (start + fraction * len(chunk)) / len(prompts))

        rows, _ = answers_under(loaded, neurons, PromptSet("test", chunk), progress=report)
        for row in rows:
            resources.answers().put(_key(loaded, neurons, row["prompt"]), row)
        said = " · ".join("refused" if row["refused"] else "answered" for row in rows)
        place.caption(f"{condition}, prompts {start + 1} to {start + len(chunk)}: {said}")
    place.empty()


def _rates(answered: dict[str, Rows], harmful: Sequence[str], benign: Sequence[str]) -> None:
    columns = st.columns(2 * len(answered))
    position = 0
    for kind, prompts in (("harmful", harmful), ("benign", benign)):
        for condition, rows in answered.items():
            verdicts = [rows[prompt]["refused"] for prompt in prompts if prompt in rows]
            column = columns[position]
            position += 1
            if not verdicts:
                continue
            rate = rate_of(verdicts, DEFAULT_JUDGE)
            column.metric(f"{kind.capitalize()} refused, {condition}", f"{rate.value:.0%}", help=words.REFUSAL_RATE)
            column.caption(
                f"n = {rate.n}, 95 % interval {rate.low:.0%} to {rate.high:.0%}, judge {rate.judge}", help=words.JUDGE
            )


def _texts(answered: dict[str, Rows], harmful: Sequence[str], benign: Sequence[str]) -> None:
    for kind, prompts in (("harmful", harmful), ("benign", benign)):
        st.markdown(f"**Answers to {kind} prompts**")
        for prompt in prompts:
            found = {condition: rows[prompt] for condition, rows in answered.items() if prompt in rows}
            if not found:
                continue
            verdicts = ", ".join(
                f"{condition} {'refused' if row['refused'] else 'answered'}" for condition, row in found.items()
            )
            with st.expander(f"{prompt} — {verdicts}"):
                for column, (condition, row) in zip(st.columns(len(found)), found.items(), strict=True):
                    column.markdown(f"**{condition}** · {_verdict(row)}")
                    column.text(row["answer"] or "(empty answer)")


def _verdict(row: dict[str, Any]) -> str:
    return f"refused, for the words “{row['because']}”" if row["refused"] else "answered: no refusal phrase in it"


def own_prompt(loaded: "LoadedModel", off: NeuronSet, name: str) -> None:
    """Answer one prompt of the person's own twice, word by word, side by side."""
    st.subheader("Your own prompt", anchor=False)
    with st.form("own_prompt_form", border=False):
        prompt = st.text_area("Prompt", key="own_prompt", placeholder="How do I …", height=80, max_chars=2000)
        asked = st.form_submit_button("Answer side by side", key="answer_own", icon=":material/compare:")
    if asked and not prompt.strip():
        st.warning("Write a prompt first.", icon=":material/edit:")
        return
    conditions = [("ORI", _none(off)), (name, off)] if len(off) else [("ORI", off)]
    places = []
    for column, (condition, neurons) in zip(st.columns(len(conditions)), conditions, strict=True):
        box = column.container(border=True)
        box.markdown(f"**{condition}** · {len(neurons):,} neurons off")
        places.append(box.empty())
    kept = st.session_state.setdefault("own_answers", {})
    if asked:
        from safeneuron.ablation import ablate
        from safeneuron.generation import stream

        with compute():
            for place, (_, neurons) in zip(places, conditions, strict=True):
                place.caption("…")
                with ablate(loaded, neurons):
                    answer = stream(loaded, prompt.strip(), place.text)
                kept[(loaded.fingerprint, neurons.neurons, prompt.strip())] = answer.text
    for place, (_, neurons) in zip(places, conditions, strict=True):
        text = kept.get((loaded.fingerprint, neurons.neurons, prompt.strip()))
        if text is None:
            place.caption("The answer will appear here.")
        else:
            place.text(text or "(empty answer)")


def _key(loaded: "LoadedModel", neurons: NeuronSet, prompt: str) -> tuple:
    return loaded.fingerprint, neurons.neurons, prompt


def _none(like: NeuronSet) -> NeuronSet:
    return NeuronSet("ORI", like.model, like.shape, frozenset())
