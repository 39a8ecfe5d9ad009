"""A model spoken to in a chat format of the person's own: ``MODEL#NAME``, where MODEL is of any other source.

Sources are asked in the order of their files' names, so this one comes before ``runs``, which refuses a
``run:ID#NAME`` as no run's id.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.models.chat_names import named_card, split
from safeneuron.progress import Progress

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class NamedChats:
    """Opens any model in any named format; lists none, since every format goes with every model."""

    def cards(self) -> list[ModelCard]:
        """Return nothing: the menus offer the formats of the model that is chosen."""
        return []

    def card(self, source: str) -> ModelCard | None:
        """Return the card of a model that is named with a format."""
        from safeneuron.models.catalogue import model_card

        plain, name = split(source)
        return named_card(model_card(plain), name) if name else None

    def places(self, source: str) -> Iterable[Path]:
        """Return where the plain model lies; the format lies in the workspace."""
        from safeneuron.models.catalogue import places

        plain, name = split(source)
        return places(plain) if name else []

    def folder(self, card: ModelCard) -> Path:
        """Return the folder of the weights, which are the plain model's."""
        from safeneuron.models.catalogue import weights_folder

        return weights_folder(card.plain)

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the plain model and speak to it as the card says."""
        from safeneuron.models.catalogue import open_card

        return open_card(card, progress)


SOURCE = NamedChats()
