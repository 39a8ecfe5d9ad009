"""Talking to the model as it is and under the ablation, side by side, over as many turns as one likes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from safeneuron.ablation.specification import Ablation
from safeneuron.conversation import Conversation
from safeneuron.errors import UserError, shortened
from safeneuron.prompts.typed import prompt_from_text
from safeneuron.refusal.coherence import Coherence
from safeneuron.refusal.judge import DEFAULT_JUDGE, Judge, JudgedAnswer, judges
from safeneuron.refusal.judging import judged
from safeneuron.ui import marked_text, opening, refusal_words
from safeneuron.ui.choice import Choice
from safeneuron.ui.conditions import Condition, conditions
from safeneuron.ui.work import REDRAW_SECONDS, compute

if TYPE_CHECKING:
    from safeneuron.generation import Answer

Side = tuple[str, bool]
"""A model's fingerprint, and whether it is ablated: each side has a conversation of its own."""
Place = "st.delta_generator.DeltaGenerator"
LONGEST = 600
"""Characters of a question that the page repeats."""
_TURNS, _GO, _PROBLEM = "conversation", "conversation_goes_on", "conversation_problem"


@dataclass
class Turn:
    """What was asked, and what each side answered, with the name of the condition that it was under."""

    prompt: str
    answers: "dict[Side, tuple[str, Answer]]" = field(default_factory=dict)


def show(choice: Choice, ablation: Ablation, name: str) -> None:
    """Show the conversation so far, and go on with it."""
    shown = conditions(choice, ablation, name)
    turns: list[Turn] = st.session_state.setdefault(_TURNS, [])
    sides = " · ".join(f"**{one.name}**, {one.done}" for one in shown)
    st.caption(
        f"Side by side: {sides}. Each remembers what it said itself; the ablation may change between turns.",
        help=refusal_words.CONVERSATION,
    )
    goes_on = st.session_state.pop(_GO, False)
    problem = st.session_state.pop(_PROBLEM, None)
    judge = _judge()
    # A place for each, so that a new turn does not slide into the input's while it is answered.
    so_far, foot = st.container(), st.container()
    for number, turn in enumerate(list(turns)):
        with so_far.container(border=True):
            st.markdown(f":material/person: {marked_text.plain(shortened(turn.prompt, LONGEST))}")
            columns = st.columns(len(shown))
            growing, places = [column.empty() for column in columns], [column.container() for column in columns]
        if goes_on and number == len(turns) - 1:
            try:
                _answer(turns, shown, growing)
            except UserError as error:
                # Asked again it would be refused again.
                turns.pop()
                problem = str(error)
                break
        _draw(turn, shown, places, judge)
    if problem:
        so_far.error(problem, icon=":material/error:")
    # In a container it stands here, and not at the foot of the window over everything else.
    foot.chat_input("Ask, and go on asking …", key="chat", on_submit=_ask)
    if turns:
        _buttons(turns, shown)


def _buttons(turns: list[Turn], shown: Sequence[Condition]) -> None:
    # What the last turn lacks: it was stopped, or the ablation is another one now.
    open_sides = [one for one in shown if turns[-1].answers.get(_side(one), ("",))[0] != one.name]
    with st.container(horizontal=True):
        st.button("Start over", key="chat_over", icon=":material/restart_alt:", on_click=turns.clear)
        if open_sides:
            names = " and ".join(one.name for one in open_sides)
            st.button(
                f"Ask the last again: {names}",
                key="chat_again",
                icon=":material/replay:",
                on_click=_again,
                args=([_side(one) for one in open_sides],),
            )


def _side(condition: Condition) -> Side:
    return condition.card.fingerprint, condition.ablation is not None


def _ask() -> None:
    try:
        text = prompt_from_text(st.session_state["chat"] or "")
    except UserError as error:
        st.session_state[_PROBLEM] = str(error)
        return
    st.session_state[_TURNS].append(Turn(text))
    st.session_state[_GO] = True


def _again(sides: Sequence[Side]) -> None:
    for side in sides:
        st.session_state[_TURNS][-1].answers.pop(side, None)
    st.session_state[_GO] = True


def _answer(turns: list[Turn], shown: Sequence[Condition], places: Sequence[Place]) -> None:
    """Let every side answer the last turn, token by token."""
    turn = turns[-1]
    for condition, place in zip(shown, places, strict=True):
        if _side(condition) in turn.answers:
            continue
        loaded = opening.opened(condition.card)
        place.caption(f"{condition.name} …")
        with compute():
            said = _so_far(turns, condition).asked(loaded, turn.prompt, condition.ablation, _drawing(place))
        turn.answers[_side(condition)] = condition.name, said.answers[-1]
        place.empty()


def _drawing(growing: Place) -> Callable[[str], None]:
    drawn = 0.0

    def on_text(text: str) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn >= REDRAW_SECONDS:
            drawn = now
            growing.text(text)

    return on_text


def _so_far(turns: Sequence[Turn], condition: Condition) -> Conversation:
    """Return the conversation before the last turn, as this side had it."""
    earlier = (turn.answers.get(_side(condition)) for turn in turns[:-1])
    return Conversation(tuple(found[1] for found in earlier if found))


def _judge() -> Judge:
    """Return the judge that is chosen for the answers, or the usual one where that judge needs more than the text."""
    known = judges()
    chosen = known.get(st.session_state.get("judge"))
    return chosen if chosen and not chosen.needs else known[DEFAULT_JUDGE]


def _draw(turn: Turn, shown: Sequence[Condition], places: Sequence[Place], judge: Judge) -> None:
    for condition, place in zip(shown, places, strict=True):
        found = turn.answers.get(_side(condition))
        if found is None:
            place.caption(f"{condition.name}: not answered.")
            continue
        name, answer = found
        _, reference = turn.answers.get((condition.card.fingerprint, False), found)
        # Loops are told by the text alone; whether the unablated model finds it likely is not asked here.
        (verdict,) = judged(judge, [JudgedAnswer(turn.prompt, answer.text)], Coherence())
        place.markdown(f"**{name}**")
        place.html(marked_text.answer_html(answer, reference, marked_text.deciding(judge, verdict)))
        reason = ""
        if verdict.because:
            because = marked_text.plain(verdict.because)
            reason = f": {because}" if verdict.kind == "incoherent" else f", for “{because}”"
        place.caption(f"Judge {judge.name}: {verdict}{reason}", help=refusal_words.JUDGE)
