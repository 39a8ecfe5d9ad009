"""Deleting a run with everything that it left: its folder, its model, and its record in MLflow."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.catalogue import catalogue
from safeneuron.models.chat_names import split
from safeneuron.models.sources.runs import model_folder
from safeneuron.runs import store, tracking
from safeneuron.runs.info import RunInfo, run_folder
from safeneuron.sizes import size_words
from safeneuron.workspace import clear_disk_errors, part_of


@dataclass(frozen=True)
class Deletion:
    """What goes when a run is deleted, told before it happens.

    Parameters
    ----------
    run : RunInfo
    size : int
        Bytes of disk that become free.
    model : bool
        Whether a trained model goes with it.
    heirs : tuple of str
        Titles of models that were trained from it: they are whole and go on working, but can no longer be
        compared with this one.
    stranded : tuple of str
        Names of stopped runs that train its model and could no longer be resumed.
    """

    run: RunInfo
    size: int
    model: bool
    heirs: tuple[str, ...]
    stranded: tuple[str, ...]

    @property
    def question(self) -> str:
        """What a person is asked."""
        what = "its trained model, tables and curves" if self.model else "its tables and curves"
        text = f"Delete {self.run.name} ({self.run.id[:8]}) with {what}, {size_words(self.size)} of disk?"
        if self.heirs:
            text += (
                f" Trained from it: {', '.join(self.heirs)}. Such a model is whole and goes on working, but can no "
                "longer be compared with this one."
            )
        if self.stranded:
            text += f" No longer resumable: {', '.join(self.stranded)}."
        return text


def deletion_of(run_id: str) -> Deletion:
    """Return what deleting a run would take away.

    Raises
    ------
    UserError
        When the run, or another that trains its model, is at work.
    """
    wanted = run_folder(run_id).name
    runs = store.list_runs()
    info = next(found for found in runs if found.id == wanted)
    if info.active:
        raise UserError(f"The run {wanted[:8]} is still at work; cancel it, or wait for its end, and delete it then.")
    others = [found for found in runs if _comes_from(found.parameters.get("model"), info)]
    at_work = next((found for found in others if found.active), None)
    if at_work:
        raise UserError(f"{at_work.name} ({at_work.id[:8]}) is training this run's model; wait for its end.")
    heirs = tuple(card.title for card in catalogue() if _comes_from(card.parent, info))
    stranded = tuple(found.name for found in others if found.status in ("failed", "cancelled"))
    folders = [run_folder(wanted), *_models(wanted)]
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    return Deletion(info, size, bool(_models(wanted)), heirs, stranded)


def delete_run(run_id: str) -> Deletion:
    """Delete a run for good, and return what went.

    Scores and answers of its model stay under the model's fingerprint: others may have the same weights.

    Raises
    ------
    UserError
        As :func:`deletion_of`, or when MLflow cannot delete its record; then everything stays.
    """
    deletion = deletion_of(run_id)
    known = deletion.run.id
    try:
        tracking.delete(known)
    except tracking.ServerError as error:
        raise UserError(
            f"The tracking server did not delete its record ({error}), so the run stays here too; try again when it "
            "answers."
        ) from error
    # The model first: a run without its model can still be deleted, and a model without its run would look copied.
    for folder in (*_models(known), run_folder(known)):
        _remove(folder)
    return deletion


def _models(run_id: str) -> list[Path]:
    """Return the folders of a run's model and of those that its earlier rounds left."""
    return [folder for folder in model_folder(run_id).parent.glob(f"{run_id}*") if folder.is_dir()]


def _remove(folder: Path) -> None:
    """Take a folder out of every list in one step, then remove it."""
    if folder.is_dir():
        with clear_disk_errors(folder):
            going = folder.rename(part_of(folder))
            shutil.rmtree(going)


def _comes_from(source: object, run: RunInfo) -> bool:
    """Tell whether a model's name is the run's, by the first digits too, or that of one of its rounds."""
    if not (isinstance(source, str) and source.startswith("run:")):
        return False
    return run.source.startswith(split(source)[0].partition("-")[0])
