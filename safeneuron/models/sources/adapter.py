"""A PEFT adapter on its base model: the adapter's folder, or ``BASE::ADAPTER`` to name the base too.

The adapter is merged in memory, exactly, and never written to disk.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.adapter import CONFIG, adapter_fingerprint, read_adapter
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import model_card, open_model, places
from safeneuron.models.chat_names import split
from safeneuron.models.names import ON_TOP, absolute, adapter_parts, hub_parts, is_gguf, is_path, path_of
from safeneuron.progress import Progress

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class Adapter:
    """Opens the base model by its own name, through the same catalogue, and adds the adapter to it."""

    def cards(self) -> list[ModelCard]:
        """Return nothing: adapters are named, not listed."""
        return []

    def card(self, source: str) -> ModelCard | None:
        """Return the base model's card, changed by the adapter."""
        folder = _adapter_folder(source)
        if folder is None:
            return None
        read_adapter(folder)
        base = model_card(_base(source))
        return ModelCard(
            source=source,
            title=f"{base.title} + {folder.name}",
            fingerprint=adapter_fingerprint(base.fingerprint, folder),
            n_layers=base.n_layers,
            d_mlp=base.d_mlp,
            origin=f"The adapter {folder}, merged in memory into {base.title}{_doubt(folder, _base(source))}.",
            ready=base.ready,
            parent=base.source,
            cost=base.cost,
        )

    def places(self, source: str) -> Iterator[Path]:
        """Yield the adapter's folder, then where its base model lies, which only the folder may tell."""
        folder = _adapter_folder(source)
        if folder:
            yield folder
            yield from places(_base(source))

    def folder(self, card: ModelCard) -> None:
        """Return None: the merged weights are nowhere on disk."""
        return None

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the base model and merge the adapter into it."""
        from safeneuron.models.adapter import merged
        from safeneuron.models.folder import read_tokenizer
        from safeneuron.models.open_check import require_finite, require_known_tokens

        folder = _adapter_folder(card.source)
        base = open_model(card.parent, progress)
        progress("Merging the adapter", 0.0)
        model = merged(base.model, folder)
        require_finite(model, folder)
        # An adapter that was trained with a tokenizer or chat template of its own brings them along.
        tokenizer = read_tokenizer(folder) if (folder / "tokenizer_config.json").is_file() else base.tokenizer
        progress("Merging the adapter", 1.0)
        loaded = replace(base, card=self.card(card.source), model=model.eval(), tokenizer=tokenizer)
        require_known_tokens(loaded, f"The tokenizer in {folder}")
        return loaded


def _adapter_folder(source: str) -> Path | None:
    """Return the adapter's folder, or None when the name is not of this kind."""
    if split(source)[1]:
        return None
    parts = adapter_parts(source)
    if parts:
        if not all(parts):
            raise UserError(f"{source!r} names no base or no adapter; write BASE{ON_TOP}ADAPTER.")
        return path_of(parts[1])
    if not is_path(source) or is_gguf(source):
        return None
    folder = path_of(source)
    return folder if (folder / CONFIG).is_file() and not (folder / "config.json").is_file() else None


def _base(source: str) -> str:
    """Return the base model's name: the one given, or what the adapter says.

    Raises
    ------
    UserError
        When the adapter names none, or names another adapter.
    """
    parts = adapter_parts(source)
    if parts:
        return parts[0]
    folder = _adapter_folder(source)
    if not _said(folder):
        raise UserError(f"{folder} does not name its base model; write BASE{ON_TOP}{source}.")
    try:
        base = _seen_from(folder, _said(folder))
    except UserError as error:
        raise UserError(f"{folder} does not name its base model: {error} Or write BASE{ON_TOP}{source}.") from error
    if _adapter_folder(base):
        raise UserError(f"{folder} is an adapter on another adapter; merge that one first and give its folder.")
    return base


def _said(folder: Path) -> str:
    """Return the base model that an adapter says it was trained on, or nothing."""
    name = read_adapter(folder).get("base_model_name_or_path")
    return name if isinstance(name, str) else ""


def _seen_from(folder: Path, name: str) -> str:
    """Return a base model's name as the adapter's folder means it: what lies there comes first."""
    beside = path_of(name if name.startswith("~") else str(folder / name))
    return str(beside) if beside.exists() and (is_path(name) or hub_parts(name)) else name


def _doubt(folder: Path, base: str) -> str:
    """Return the end of a sentence: that an adapter says another base; nothing where it may be the same elsewhere."""
    said = _said(folder)
    alike = {name.rstrip("/").split("/")[-1].split("@")[0].casefold() for name in (said, base)}
    if not said or len(alike) == 1:
        return ""
    with suppress(UserError):
        if absolute(_seen_from(folder, said)) == absolute(base):
            return ""
    return f"; it says that it was trained on {said[:100]!r}, and on another model its numbers mean little"


SOURCE = Adapter()
