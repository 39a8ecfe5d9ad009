"""A model folder on this machine: its path is its name, with a slash in it (``./my-model``)."""

from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
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
        try:
            folder = Path(source).expanduser()
        except RuntimeError:  # ~somebody who does not exist
            return None
        if not source or not folder.is_dir():
            return None
        if "/" not in source:
            raise UserError(f"{source!r} is a folder here; write it with a slash, ./{source}, to open it as a model.")
        from safeneuron.models.folder import card_of_folder

        return card_of_folder(folder.resolve(), source)

    def folder(self, card: ModelCard) -> Path:
        """Return the folder that the name says."""
        return Path(card.source).expanduser().resolve()

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the folder."""
        from safeneuron.models.folder import load_folder

        return load_folder(self.folder(card), card)


SOURCE = Directory()
