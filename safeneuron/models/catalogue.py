"""From the one string that names a model to its card, or to the model itself."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
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

    def folder(self, card: ModelCard) -> Path:
        """Return where a model's config and weights lie, or will lie once it is ready."""
        ...

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open a model, fetching and converting it first where that is needed."""
        ...


def catalogue() -> list[ModelCard]:
    """Return every model that can be listed: the embedded ones, then finished runs."""
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


def ancestors(card: ModelCard) -> Iterator[str]:
    """Yield the fingerprints of the models that this one was trained from, the nearest first.

    Each is looked up only when asked for, since the weights of a folder that safeneuron did not write
    are hashed for it. The line ends at a model that was trained from none, or whose parent is gone.
    """
    seen = {card.fingerprint}
    while card.parent:
        try:
            card = model_card(card.parent)
        except UserError:
            return
        if card.fingerprint in seen:
            return
        seen.add(card.fingerprint)
        yield card.fingerprint


def weights_folder(card: ModelCard) -> Path:
    """Return where a model's config and weights lie, or will lie once it is ready."""
    kind, found = _find(card.source)
    return kind.folder(found)


def _as_opened(card: ModelCard) -> ModelCard:
    """Return the card with the fingerprint of what the weights are here: float32, bfloat16 or 4-bit."""
    return replace(card, fingerprint=precise_fingerprint(card.fingerprint))


def _find(source: str) -> tuple[Source, ModelCard]:
    for kind in _sources():
        card = kind.card(source)
        if card:
            return kind, card
    known = ", ".join(card.source for card in catalogue())
    raise UserError(
        f"There is no model {source!r}; give one of {known}, or the path of a folder with a Hugging Face model."
    )


def _sources() -> tuple[Source, ...]:
    return discover("safeneuron.models.sources", "SOURCE")
