"""Which result the map shows: a score, its options, the pooling and the prompts, chosen from what is declared.

A second result stands beside the first, or is subtracted from it. Both have their menus here; the
names of the second one's choices end in 2.
"""

from dataclasses import dataclass

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.prompts.choices import choices, chosen_classes
from safeneuron.scores.option import Option, Value
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import Score, scores
from safeneuron.statistics import POOLINGS
from safeneuron.ui import words
from safeneuron.ui.address import SECOND, option_name, threshold_name
from safeneuron.ui.choice import Choice, label


@dataclass(frozen=True)
class Wanted:
    """A result that was chosen, computed or not.

    Parameters
    ----------
    card, other : ModelCard
        The model, and the second one where the score compares two.
    request : ScoreRequest
    label : str
        What sets this result apart, in a few words.
    """

    card: ModelCard
    other: ModelCard | None
    request: ScoreRequest
    label: str

    @property
    def score(self) -> Score:
        """The score's declaration."""
        return self.request.score


def first(choice: Choice) -> Wanted:
    """Draw the menus of the result that the map shows, and return it."""
    return _menus(choice, choice.card, "")


def second(choice: Choice) -> Wanted:
    """Draw the menus of the result beside it, of the model compared with where there is one, and return it."""
    return _menus(choice, choice.other or choice.card, SECOND)


def threshold(place: st.delta_generator.DeltaGenerator, score: Score) -> float:
    """Draw the slider of a score's threshold and return it."""
    return place.slider(
        f"τ of {score.name}, {score.unit}",
        0.0,
        score.highest_threshold,
        step=0.1,
        key=threshold_name(score.name),
        help=words.THRESHOLD,
        width=230,
    )


def _menus(choice: Choice, card: ModelCard, end: str) -> Wanted:
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    offered = [name for name, score in scores().items() if choice.other or not score.needs_other]
    if st.session_state[f"score{end}"] not in offered:
        st.session_state[f"score{end}"] = offered[0]
    name = row.selectbox(
        "Score of the second result" if end else "Score",
        offered,
        key=f"score{end}",
        format_func=lambda name: f"{name} · {scores()[name].title}",
        help="\n\n".join(f"**{score.name}** ({score.source}): {score.description}" for score in scores().values()),
        width=290,
    )
    score = scores()[name]
    prompts = row.selectbox("Prompts", choices(), key=f"prompts{end}", help=words.SCORED_PROMPTS, width=290)
    pooling = row.selectbox("Read at", POOLINGS, key=f"pooling{end}", help=words.POOLING, width=120)
    given = {option.name: _option(row, score, option, end) for option in score.options}
    other = _other(choice, card) if score.needs_other else None
    request = ScoreRequest(
        name, card.fingerprint, chosen_classes(prompts), pooling, given, other.fingerprint if other else None
    )
    return Wanted(card, other, request, f"{name} · {label(card)} · {prompts} · {pooling}")


def _other(choice: Choice, card: ModelCard) -> ModelCard:
    """Return the other one of the two models that are compared."""
    return choice.card if card == choice.other else choice.other


def _option(row: st.delta_generator.DeltaGenerator, score: Score, option: Option, end: str) -> Value:
    key = option_name(score.name, option.name, end)
    if option.choices:
        return row.selectbox(option.title, option.choices, key=key, help=option.help, width=180)
    whole = isinstance(option.default, int)
    kind = int if whole else float
    return row.number_input(
        option.title,
        *(kind(bound) for bound in option.bounds),
        step=kind(option.step),
        key=key,
        help=option.help,
        width=150,
    )
