"""A model folder on this machine: its path is its name, with a slash in it (``./my-model``)."""

from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.progress import Progress

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class Directory:
    """Opens any folder that holds a config and safetensors; lists none, since there is no end of folders."""

    def cards(self) -> list[ModelCard]:
        """Return nothing: folders are named, not listed."""
        return []

    def card(self, source: str) -> ModelCard | None:
        """Return the card of an existing folder."""
        folder = Path(source).expanduser()
        if "/" not in source or not folder.is_dir():
            return None
        from safeneuron.models.folder import card_of_folder

        return card_of_folder(folder.resolve(), source)

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the folder."""
        from safeneuron.models.folder import load_folder

        return load_folder(Path(card.source).expanduser().resolve(), card)


SOURCE = Directory()
