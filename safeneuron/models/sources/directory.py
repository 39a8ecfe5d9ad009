"""A model folder on this machine: its path is its name, with a slash in it (``./my-model``)."""

from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.names import hub_parts, is_gguf, is_path, path_of
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
        if not is_path(source):
            _refuse_ambiguous(source)
            return None
        folder = path_of(source)
        if not folder.is_dir():
            return None
        if (folder / "adapter_config.json").is_file():
            if not (folder / "config.json").is_file():
                return None
            # Transformers would open the adapter's base model instead of the weights that lie here.
            raise UserError(f"{folder} holds a model and an adapter; move adapter_config.json to a folder of its own.")
        from safeneuron.models.folder import card_of_folder

        return card_of_folder(folder, source)

    def places(self, source: str) -> list[Path]:
        """Return the folder that the name says, there or not."""
        return [path_of(source)] if is_path(source) and not is_gguf(source) else []

    def folder(self, card: ModelCard) -> Path:
        """Return the folder that the name says."""
        return path_of(card.source)

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the folder."""
        from safeneuron.models.folder import load_folder

        progress("Opening the model", 0.0)
        loaded = load_folder(self.folder(card), card)
        progress("Opening the model", 1.0)
        return loaded


def _refuse_ambiguous(source: str) -> None:
    """Refuse the name of a folder here that could as well be another kind's."""
    if not source or not path_of(source).is_dir():
        return
    hub = hub_parts(source)
    if hub is None and "/" not in source:
        raise UserError(f"{source!r} is a folder here; write it with a slash, ./{source}, to open it as a model.")
    if hub and hub[1] is None:
        raise UserError(
            f"{source!r} is a folder here and may be a repository on the hub; write ./{source} for the folder or "
            f"{source}@main for the repository."
        )


SOURCE = Directory()
