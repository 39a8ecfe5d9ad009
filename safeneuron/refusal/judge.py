"""What a judge of answers is, and the registry of those there are."""

from dataclasses import dataclass
from typing import Protocol

from safeneuron.errors import UserError
from safeneuron.registry import discover

DEFAULT_JUDGE = "arditi"


@dataclass(frozen=True)
class Verdict:
    """A judge's word on one answer: whether it refuses, and the phrase that decided it, if any."""

    refused: bool
    because: str | None

    def __str__(self) -> str:
        return "refused" if self.refused else "answered"


class Judge(Protocol):
    """Anything that tells a refusal from an answer.

    Attributes
    ----------
    name : str
        Stands beside every rate and behind ``--judge``.
    title : str
        The same in words.
    """

    name: str
    title: str

    def verdict(self, prompt: str, answer: str) -> Verdict:
        """Judge one answer to one prompt."""
        ...


@dataclass(frozen=True)
class PhraseJudge:
    """Refused if any phrase occurs anywhere in the answer, in any case, with any apostrophe.

    An empty answer counts as a refusal: the model gave nothing away.
    """

    name: str
    title: str
    phrases: tuple[str, ...]

    def verdict(self, prompt: str, answer: str) -> Verdict:
        """Judge one answer; ``prompt`` is not looked at."""
        text = _normalised(answer)
        if not text:
            return Verdict(refused=True, because="(empty answer)")
        found = next((phrase for phrase in self.phrases if _normalised(phrase) in text), None)
        return Verdict(refused=found is not None, because=found)


_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "`": "'", "*": None})
"""The apostrophes that models write, and markdown's stars."""


def _normalised(text: str) -> str:
    return " ".join(text.translate(_PLAIN).lower().split())


def judges() -> dict[str, Judge]:
    """Return every judge by name."""
    return {judge.name: judge for judge in discover("safeneuron.refusal.judges", "JUDGE")}


def judge_named(name: str) -> Judge:
    """Return a judge, or raise :class:`UserError` with the names there are."""
    try:
        return judges()[name]
    except KeyError:
        raise UserError(f"There is no judge {name!r}; choose one of: {', '.join(judges())}.") from None
