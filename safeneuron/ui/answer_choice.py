"""Which prompts the Ablation page has answered, and who judges the answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.models.names import is_path
from safeneuron.models.roots import check_roots
from safeneuron.prompts import builtin
from safeneuron.prompts.typed import prompts_from_text
from safeneuron.refusal.judge import DEFAULT_JUDGE, Judge, judge_named, judges
from safeneuron.ui import refusal_words, resources

NOBODY = "nobody"
PANEL, SOME, ALL, OWN = SIZES = ("panel: 16 + 16", "40 + 40", "80 + 80", "my own")


@dataclass(frozen=True)
class Asked:
    """What is answered, and who judges it.

    Parameters
    ----------
    prompts : mapping
        By kind: harmful and benign, or own.
    judge : Judge
    second : Judge or None
    """

    prompts: Mapping[str, tuple[str, ...]]
    judge: Judge
    second: Judge | None

    @property
    def judges(self) -> tuple[Judge, ...]:
        """One or both."""
        return (self.judge, self.second) if self.second else (self.judge,)

    @property
    def all_prompts(self) -> tuple[str, ...]:
        """The prompts of every kind."""
        return tuple(prompt for prompts in self.prompts.values() for prompt in prompts)


def show() -> Asked | None:
    """Draw the menus and return what is chosen, or None where there is no such judge, which is then said."""
    size = st.segmented_control(
        "Prompts, harmful + benign",
        SIZES,
        default=PANEL,
        required=True,
        wrap=True,
        key="answer_prompts",
        persist_state="session",
    )
    known = [judge for judge in judges().values() if not judge.argument.startswith(":")]
    names = [judge.name for judge in known]
    titles = "\n\n".join(f"**{judge.name}**: {judge.title}." for judge in known)
    left, right = st.columns(2)
    first = left.selectbox(
        "Judge",
        _with_typed(names, "judge"),
        index=names.index(DEFAULT_JUDGE),
        key="judge",
        persist_state="session",
        accept_new_options=True,
        help=f"{refusal_words.JUDGE}\n\n{titles}\n\n{refusal_words.MODEL_JUDGE}",
    )
    second = right.selectbox(
        "Second judge",
        _with_typed([NOBODY, *names], "second_judge"),
        key="second_judge",
        persist_state="session",
        accept_new_options=True,
        help=f"{refusal_words.SECOND_JUDGE}\n\n{refusal_words.MODEL_JUDGE}",
    )
    try:
        judge, other = _judge(first or DEFAULT_JUDGE), None if second in (None, NOBODY, first) else _judge(second)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return Asked(_prompts(size), judge, other)


def _with_typed(names: list[str], key: str) -> list[str]:
    """Return the menu with the judge that was typed, so that it stays in it."""
    return list(dict.fromkeys([*names, st.session_state.get(key) or names[0]]))


def _judge(name: str) -> Judge:
    """Return a judge, whose model, if it is one by its folder, lies where the page may look."""
    _, _, argument = name.partition(":")
    if argument and is_path(argument.strip()):
        check_roots(argument.strip())
    return judge_named(name)


def _prompts(size: str) -> Mapping[str, tuple[str, ...]]:
    if size == OWN:
        return {"own": _own()}
    if size == PANEL:
        prompts, is_harmful = resources.panel_prompts()
        count = sum(is_harmful)
        return {"harmful": prompts[:count], "benign": prompts[count:]}
    limit = None if size == ALL else int(size.split(" + ")[0])
    return {kind: part("test").head(limit).prompts for kind, part in PARTS.items()}


PARTS = {"harmful": builtin.harmful, "benign": builtin.benign}


def _own() -> tuple[str, ...]:
    text = st.text_area(
        "Prompts of your own, one a line", key="own_prompts", persist_state="session", placeholder="How do I …"
    )
    if not text.strip():
        return ()
    try:
        found = prompts_from_text(text)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return ()
    if found.repeated:
        lines = "1 repeated line is" if found.repeated == 1 else f"{found.repeated:,} repeated lines are"
        st.caption(f"{lines} left out.")
    return found.prompts
