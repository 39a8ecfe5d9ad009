"""From the one string that names a model to its card, or to the model itself."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.chat_names import spoken_as
from safeneuron.models.device import precise_fingerprint
from safeneuron.progress import Progress, silent
from safeneuron.registry import discover

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

DEFAULT_MODEL = "smollm2-135m-safe"


class Source(Protocol):
    """A kind of place that models come from."""

    def cards(self) -> list[ModelCard]:
        """Return the models that can be listed."""
        ...

    def card(self, source: str) -> ModelCard | None:
        """Return the card of one model, or None when the name is not of this kind."""
        ...

    def places(self, source: str) -> Iterable[Path]:
        """Return where on this machine a name of this kind, typed by a person, makes safeneuron read.

        In the order of reading, and nothing is read in a place before it is given out.
        """
        ...

    def folder(self, card: ModelCard) -> Path | None:
        """Return where a model's config and weights lie, or will lie; None when they are only made in memory."""
        ...

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open a model, fetching and converting it first where that is needed."""
        ...


def catalogue() -> list[ModelCard]:
    """Return every model that can be listed: the embedded ones, the hub's local cache, then finished runs."""
    return [_as_opened(card) for source in _sources() for card in source.cards()]


def model_card(source: str) -> ModelCard:
    """Return the card of a model without reading its weights.

    Raises
    ------
    UserError
        When no kind of source knows the name.
    """
    return _as_opened(_find(source)[1])


def open_model(source: str, progress: Progress = silent) -> "LoadedModel":
    """Open a model; what must be fetched or converted first is reported step by step."""
    kind, card = _find(source)
    loaded = kind.load(card, progress)
    return replace(loaded, card=_as_opened(loaded.card))


def open_card(card: ModelCard, progress: Progress = silent) -> "LoadedModel":
    """Open the model that a card describes, in its wording, whatever its chat format's name stands for by now."""
    if card.plain:
        return spoken_as(open_card(card.plain, progress), card)
    return open_model(card.source, progress)


def ancestors(card: ModelCard) -> Iterator[str]:
    """Yield the fingerprints of the models that this one was trained from, the nearest first."""
    return (found.fingerprint for found in islice(lineage(card), 1, None))


def lineage(card: ModelCard) -> Iterator[ModelCard]:
    """Yield a model's card and those of the models that it was trained from, the nearest first.

    Each is looked up only when asked for, since the weights of a folder that safeneuron did not write
    are hashed for it. The line ends at a model that was trained from none, or whose parent is gone.
    """
    seen: set[str] = set()
    while card.fingerprint not in seen:
        yield card
        seen.add(card.fingerprint)
        if not card.parent:
            return
        try:
            card = model_card(card.parent)
        except UserError:
            return


def places(source: str) -> Iterator[Path]:
    """Yield every place on this machine that a name makes safeneuron read; none for names that are no paths."""
    for kind in _sources():
        yield from kind.places(source)


def weights_folder(card: ModelCard) -> Path | None:
    """Return where a model's config and weights lie, or will lie; None when they are only made in memory."""
    kind, found = _find(card.source)
    return kind.folder(found)


def unknown(source: str, asked: str = "") -> UserError:
    """Return the sentence on a name that is no model's; ``asked`` says what the hub answered, where it was asked."""
    known = ", ".join(card.source for card in catalogue())
    return UserError(
        f"There is no model {source!r} here; give one of {known}, the path of a folder with a Hugging Face model or of "
        f"a GGUF file, or a repository on the hub as org/name.{asked}"
    )


def _as_opened(card: ModelCard) -> ModelCard:
    """Return the card with the fingerprint of what the weights are here: float32, bfloat16 or 4-bit."""
    # A chat format's fingerprint is made of the plain model's, which says it already.
    return card if card.plain else replace(card, fingerprint=precise_fingerprint(card.fingerprint))


def _find(source: str) -> tuple[Source, ModelCard]:
    for kind in _sources():
        card = kind.card(source)
        if card:
            return kind, card
    raise unknown(source)


def _sources() -> tuple[Source, ...]:
    return discover("safeneuron.models.sources", "SOURCE")
