"""The model that a finished run left in the workspace: ``run:<id>``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import CARD, ModelCard, read_card
from safeneuron.models.checksums import SUMS, require_intact, write_sums
from safeneuron.progress import Progress
from safeneuron.workspace import workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

PREFIX = "run:"
RUN_FOLDER = re.compile("[0-9a-f]{32}")


class Runs:
    """Finished runs' models, known by the cards that lie beside their weights; MLflow is not asked."""

    def cards(self) -> list[ModelCard]:
        """Return the models of finished runs, the oldest first."""
        found = sorted(_folders(), key=lambda folder: (folder / CARD).stat().st_mtime)
        return [card for folder in found if (card := read_card(folder, PREFIX + folder.name))]

    def card(self, source: str) -> ModelCard | None:
        """Return the card of a run's model; the first digits of its id are enough."""
        if not source.startswith(PREFIX):
            return None
        wanted = source.removeprefix(PREFIX)
        found = [folder for folder in _folders() if wanted and folder.name.startswith(wanted)]
        if len(found) != 1:
            raise UserError(
                f"There {'are several finished runs' if found else 'is no finished run'} {wanted!r}; "
                "give one of those that `python -m safeneuron runs` lists as finished."
            )
        return read_card(found[0], PREFIX + found[0].name)

    def places(self, source: str) -> list[Path]:
        """Return nothing: these names are no paths."""
        return []

    def folder(self, card: ModelCard) -> Path:
        """Return the folder that the run wrote."""
        return model_folder(card.source)

    def load(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        """Open the model, which nothing but its folder holds, so that a damaged one is lost."""
        from safeneuron.models.folder import load_folder

        folder = self.folder(card)
        progress("Opening the model", 0.0)
        require_intact(folder)
        loaded = load_folder(folder, card)
        if not (folder / SUMS).is_file():
            # Saved by an earlier safeneuron: from now on at least, damage shows.
            write_sums(folder)
        progress("Opening the model", 1.0)
        return loaded


def model_folder(source: str) -> Path:
    """Return where a run's model lies, or will lie: ``models/<id>`` in the workspace."""
    return workspace() / "models" / source.removeprefix(PREFIX)


def _folders() -> list[Path]:
    return [
        path.parent for path in (workspace() / "models").glob(f"*/{CARD}") if RUN_FOLDER.fullmatch(path.parent.name)
    ]


SOURCE = Runs()
