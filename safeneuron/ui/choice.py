"""What is chosen in the sidebar, resolved: the model, the one it is compared with, scores and sets."""

from collections.abc import Mapping
from dataclasses import dataclass

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import catalogue, model_card
from safeneuron.models.chat_names import MARK, chat_names, in_named_chats, named_card, split
from safeneuron.models.roots import check_roots
from safeneuron.neurons import NeuronSet
from safeneuron.scores.score import ScoreTable

RUN_DIGITS = 8
"""Digits of a run's id that menus and addresses carry; the full id is understood too."""


@dataclass(frozen=True)
class Choice:
    """What every page starts from.

    Parameters
    ----------
    card : ModelCard
    other : ModelCard or None
        The model that it is compared with.
    table : ScoreTable or None
        The model's scores, if they were ever computed.
    sets : mapping or None
        ES, SAS and FULL under the thresholds as they stand.
    hand : NeuronSet or None
        The set in hand, as neurons of this model.
    """

    card: ModelCard
    other: ModelCard | None
    table: ScoreTable | None
    sets: Mapping[str, NeuronSet] | None
    hand: NeuronSet | None


def model_names(chosen: str) -> list[str]:
    """Return what the model menu offers, the default first, the newest runs, the chosen model's chat formats."""
    embedded, runs = [], []
    for card in catalogue():
        (runs if card.source.startswith("run:") else embedded).append(short_name(card.source))
    plain = short_name(split(chosen)[0])
    return embedded + runs[::-1] + [f"{plain}{MARK}{name}" for name in chat_names()]


def other_names(card: ModelCard) -> list[str]:
    """Return the models that this one can be compared with: of its shape, its parent first.

    Among them the same weights spoken to differently: by themselves, and in each of the kept chat formats.
    """
    plain = card.plain or card
    known = {found.source: found for found in (plain, *catalogue(), *in_named_chats(plain))}
    others = [found for found in known.values() if found.shape == card.shape and found.fingerprint != card.fingerprint]
    others.sort(key=lambda found: found.source != card.parent)
    return [short_name(found.source) for found in others]


def short_name(source: str) -> str:
    """Return a run's source with the first digits of its id, and any other source as it is."""
    if not source.startswith("run:"):
        return source
    plain, name = split(source)
    run, dash, earlier_round = plain.partition("-")
    return run[: len("run:") + RUN_DIGITS] + dash + earlier_round + (MARK + name if name else "")


def label(card: ModelCard) -> str:
    """Return a model's title, with the run's id where a run made it, since two runs may have one title."""
    return f"{card.title} ({short_name(card.source)})" if card.source.startswith("run:") else card.title


def card_of(source: str) -> ModelCard:
    """Return a model's card; a path must lie where the page may look.

    Raises
    ------
    UserError
        When there is no such model, or it lies elsewhere.
    """
    plain, name = split(source)
    if name:
        return named_card(card_of(plain), name)
    check_roots(source)
    return model_card(source)
