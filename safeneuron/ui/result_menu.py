"""Which result the map shows: a score, its options, the prompts and the pooling, chosen from what is declared.

A second result stands beside the first, or is subtracted from it. Both have their menus here; the
names of the second one's choices end in 2, and what is not chosen for it is the same as for the first.
"""

from dataclasses import dataclass

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.prompts.choices import BUILT_IN, choices, chosen_classes
from safeneuron.scores.option import Option, Value
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import Score, scores
from safeneuron.statistics import POOLINGS
from safeneuron.threshold_steps import threshold_step
from safeneuron.ui import own_prompts, words
from safeneuron.ui.address import (
    BESIDE,
    DIFFERENCE,
    FIRST_SCORE,
    NOTHING,
    SAME,
    SECOND,
    drawn,
    option_name,
    threshold_name,
)
from safeneuron.ui.choice import Choice, label

_FOR = "beside_for"
"""The session's model compared with for which the choices were settled last."""


@dataclass(frozen=True)
class Wanted:
    """A result that was chosen, computed or not.

    Parameters
    ----------
    card : ModelCard
    other : ModelCard or None
        The second model, where the score compares two.
    request : ScoreRequest
    prompts : str
        Name of the prompts.
    """

    card: ModelCard
    other: ModelCard | None
    request: ScoreRequest
    prompts: str

    @property
    def score(self) -> Score:
        """The score's declaration."""
        return self.request.score

    @property
    def reads_others(self) -> bool:
        """Whether it is of other prompts, or read elsewhere in them, than the safety neurons are found with."""
        return self.prompts != BUILT_IN or (self.score.pools and self.request.pooling != POOLINGS[0])

    def apart_from(self, second: "Wanted | None", in_full: bool = True) -> str:
        """Return what this result is of, but for the score, in a few words.

        Parameters
        ----------
        second : Wanted or None
            Another result: what sets them apart is named.
        in_full : bool
            Whether to name the model, and what else is not the usual choice, even where both have the same.
        """
        theirs = second or self
        parts = [label(self.card)] if in_full or self.card != theirs.card else []

        def told(mine: Value, other: Value, usual: Value) -> bool:
            return mine != other or (in_full and mine != usual)

        if told(self.prompts, theirs.prompts, BUILT_IN):
            parts.append(f"on {self.prompts}")
        if self.score.pools and told(self.request.pooling, theirs.request.pooling, POOLINGS[0]):
            parts.append(f"read at {self.request.pooling}")
        mine = self.request.options
        others = theirs.request.options if theirs.score == self.score else mine
        parts += [
            f"with {option.title.lower()} {mine[option.name]}"
            for option in self.score.options
            if told(mine[option.name], others[option.name], option.default)
        ]
        return " ".join(parts)


def title(score: Score) -> str:
    """Return a score's title, with its name where the title does not say it."""
    words = f"{score.title[:1].upper()}{score.title[1:]}"
    return words if score.name.lower() in words.lower() else f"{score.name} · {score.title}"


def settle(compared: str | None) -> None:
    """Settle what depends on there being a model to compare with, before the address is written.

    Parameters
    ----------
    compared : str or None
        Its name.
    """
    if _FOR not in st.session_state:
        # A link may say otherwise.
        changed = compared is not None and "beside" not in st.query_params
    else:
        changed = compared != st.session_state[_FOR]
    if changed:
        # Who chooses a model to compare with wants to see the difference.
        st.session_state["beside"] = DIFFERENCE if compared else NOTHING
    st.session_state[_FOR] = compared
    for name, default in (("score", FIRST_SCORE), (f"score{SECOND}", SAME)):
        chosen = scores().get(st.session_state[name])
        if chosen and chosen.needs_other and not compared:
            st.session_state[name] = default


def first(choice: Choice) -> Wanted:
    """Draw the menus of the result that the map shows, and return it."""
    return _menus(choice, choice.card, None)


def beside(like: Wanted) -> str:
    """Draw the choice of what stands beside the first result, and return it: one of ``BESIDE``.

    In the same row are prompts of one's own, and the threshold of the first result's score where it is of use: those
    of ES and SAS have sliders of their own, and a difference has none.
    """
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    chosen = row.segmented_control("A second result", BESIDE, key="beside", required=True, help=words.SECOND_RESULT)
    if chosen != DIFFERENCE and not like.score.identifies:
        row.slider(
            f"τ of {like.score.name}, {like.score.unit}",
            0.0,
            like.score.highest_threshold,
            step=threshold_step(like.score),
            key=threshold_name(like.score.name),
            help=words.THRESHOLD,
            width=290,
        )
        drawn(threshold_name(like.score.name))
    own_prompts.show(row)
    return chosen


def second(choice: Choice, like: Wanted) -> Wanted:
    """Draw the menus of the second result, of the model compared with where there is one, and return it."""
    return _menus(choice, choice.other or choice.card, like)


def _menus(choice: Choice, card: ModelCard, like: Wanted | None) -> Wanted:
    """Draw the menus of one result; with ``like``, of the second one."""
    end, same = (SECOND, [SAME]) if like else ("", [])
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    offered = [name for name, score in scores().items() if choice.other or not score.needs_other]
    which = "Second: " if like else ""
    name = row.selectbox(
        f"{which}score" if like else "Score",
        same + offered,
        key=f"score{end}",
        format_func=lambda name: name if name == SAME else title(scores()[name]),
        help="\n\n".join(f"**{score.name}** ({score.source}): {score.description}" for score in scores().values()),
        width=330,
    )
    prompts = row.selectbox(
        f"{which}prompts" if like else "Prompts",
        [*same, *choices()],
        key=f"prompts{end}",
        help=words.SCORED_PROMPTS,
        width=300,
    )
    pooling = row.selectbox(
        f"{which}read at" if like else "Read at",
        [*same, *POOLINGS],
        key=f"pooling{end}",
        help=words.POOLING,
        width=150,
    )
    alike = name == SAME
    if like:
        name = like.score.name if alike else name
        prompts = like.prompts if prompts == SAME else prompts
        pooling = like.request.pooling if pooling == SAME else pooling
    score = scores()[name]
    # The same score has the same options; to compare two of them, choose the score for the second result too.
    given = like.request.options if alike else {o.name: _option(row, score, o, end) for o in score.options}
    other = _other(choice, card) if score.needs_other else None
    request = ScoreRequest(
        name, card.fingerprint, chosen_classes(prompts), pooling, given, other.fingerprint if other else None
    )
    return Wanted(card, other, request, prompts)


def _other(choice: Choice, card: ModelCard) -> ModelCard:
    """Return the other one of the two models that are compared."""
    return choice.card if card == choice.other else choice.other


def _option(row: st.delta_generator.DeltaGenerator, score: Score, option: Option, end: str) -> Value:
    key = option_name(score.name, option.name, end)
    heading = f"Second: {option.title.lower()}" if end else option.title
    if option.choices:
        return row.selectbox(heading, option.choices, key=key, help=option.help, width=230)
    kind = type(option.default)
    low, high = (kind(bound) for bound in option.bounds)
    return row.number_input(heading, low, high, step=kind(option.step), key=key, help=option.help, width=230)
