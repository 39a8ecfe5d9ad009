"""A model folder on this machine: its path is its name, with a slash in it (``./my-model``)."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.gguf_header import MAGIC
from safeneuron.models.names import hub_parts, is_gguf, is_path, path_of
from safeneuron.models.sources.embedded import SOURCE as EMBEDDED
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
            if folder.is_file() and not is_gguf(source):
                raise UserError(f"{folder} is a file that cannot be opened as a model; {_instead(folder)}.")
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
    """Refuse the name of a folder or file here that could as well be a repository's."""
    # A plain word that names an embedded model is that, whatever lies here.
    if not source or source in EMBEDDED.names or not path_of(source).exists():
        return
    what, parts = "folder" if path_of(source).is_dir() else "file", hub_parts(source)
    if parts is None and "/" not in source:
        raise UserError(f"{source!r} is a {what} here; write it with a slash, ./{source}, to open it as a model.")
    if parts and parts[1] is None:
        raise UserError(
            f"{source!r} is a {what} here and may be a repository on the hub; write ./{source} for the {what} or "
            f"{source}@main for the repository."
        )


def _instead(path: Path) -> str:
    """Return what to give instead of a file."""
    if path.suffix == ".safetensors":
        return f"give its folder, {path.parent}, with the config and the tokenizer in it"
    with suppress(OSError), path.open("rb") as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            return "it holds GGUF, so give it a name that ends in .gguf"
    return "give a folder that holds one, or a GGUF file"


SOURCE = Directory()
