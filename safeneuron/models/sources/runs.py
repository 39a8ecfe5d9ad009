"""The model that a finished run left in the workspace: ``run:<id>``.

A run of several rounds leaves the models of the earlier ones beside it, ``run:<id>-1`` and so on. Each is whole and
evaluated before the next round begins, so that it may be used whatever becomes of the run.
"""

import logging
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import CARD, ModelCard, read_card
from safeneuron.models.checksums import SUMS, require_intact, write_sums
from safeneuron.progress import Progress
from safeneuron.runs.info import STATUS_FILE, read_info, runs_folder
from safeneuron.runs.processes import is_alive
from safeneuron.workspace import workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

PREFIX = "run:"
RUN_FOLDER = re.compile("([0-9a-f]{32})(-[0-9]+)?")


class Runs:
    """Finished runs' models, known by the cards beside their weights and the runs' own states; MLflow is not asked."""

    def cards(self) -> list[ModelCard]:
        """Return the models of finished runs, the oldest first; damaged ones are named in the log and passed over."""
        found = []
        for folder in sorted(_folders(), key=lambda folder: (folder / CARD).stat().st_mtime):
            try:
                if not _unfinished(folder.name):
                    found.append(saved_card(folder.name))
            except UserError as error:
                _say_once(str(error))
        return found

    def card(self, source: str) -> ModelCard | None:
        """Return the card of a run's model; the first digits of its id are enough."""
        if not source.startswith(PREFIX):
            return None
        wanted = source.removeprefix(PREFIX)
        digits, _, earlier = wanted.partition("-")
        found = [
            folder
            for folder, (name, _, number) in ((folder, folder.name.partition("-")) for folder in _folders())
            if digits and name.startswith(digits) and number == earlier
        ]
        if len(found) != 1:
            raise UserError(
                f"There {'are several finished runs' if found else 'is no finished run'} {wanted!r}; "
                "give one of those that `python -m safeneuron runs` lists as finished."
            )
        unfinished = _unfinished(found[0].name)
        if unfinished:
            raise UserError(unfinished)
        return saved_card(found[0].name)

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


def of_round(run_id: str, number: int) -> str:
    """Return the name, after ``run:``, of the model that an earlier round of a run left."""
    return f"{run_id}-{number}"


def saved_card(run_id: str) -> ModelCard:
    """Return the card that a run saved with its model, whether or not the run has finished.

    Only the run itself opens its model before its end, to evaluate it.

    Raises
    ------
    UserError
        When the card is damaged or was not saved.
    """
    card = read_card(model_folder(run_id), PREFIX + run_id)
    if card is None:
        raise UserError(f"The run {run_id} has saved no model; start it again.")
    return card


def _unfinished(run_id: str) -> str:
    """Return a sentence on why a run's model is not to be used; empty where it is, as that of an earlier round.

    Cancelled or killed while it was evaluated, a run leaves a whole model of which nobody knows how it
    does. A model whose run is not here was copied from another workspace.
    """
    folder = runs_folder() / run_id
    # That of an earlier round lies under no run's name.
    if not (folder / STATUS_FILE).is_file():
        return ""
    info = read_info(folder)
    if info.status == "finished":
        return ""
    if info.active and is_alive(folder, info.updated):
        where = f"it is at {info.phase!r}" if info.phase else "it is about to start"
        return (
            f"The run {run_id[:8]} has not finished ({where}), and only finished runs' models are used; "
            "wait for its end."
        )
    how = "killed" if info.active else info.status
    return (
        f"The run {run_id[:8]} was not finished ({how}), and only finished runs' models are used; start it again, or "
        f"give the folder {model_folder(run_id)} to use what it had saved."
    )


@cache
def _say_once(text: str) -> None:
    """Log a warning, which lists that are drawn again and again would repeat."""
    logging.getLogger(__name__).warning(text)


def _folders() -> list[Path]:
    return [
        path.parent for path in (workspace() / "models").glob(f"*/{CARD}") if RUN_FOLDER.fullmatch(path.parent.name)
    ]


SOURCE = Runs()
