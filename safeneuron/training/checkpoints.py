"""A run's checkpoints: where they lie, which one a run goes on from, and the room they need. Needs no torch.

What is in one is transformers' own: weights (or the LoRA adapter), optimiser, schedule, random states and
the trainer's state, so that a resumed run ends with the same bits as one that was never stopped.
"""

import re
import shutil
from itertools import count
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.card import CARD, ModelCard
from safeneuron.models.parameters import architecture_of, parameters_in_files
from safeneuron.models.sources.runs import model_folder, of_round
from safeneuron.runs.info import RunInfo, run_folder
from safeneuron.sizes import size_words
from safeneuron.training.settings import TrainingSettings
from safeneuron.workspace import workspace

REFERENCE_FILE = "reference.safetensors"
_NAME = re.compile(r"checkpoint-(\d+)")


def checkpoints_folder(run_id: str) -> Path:
    """Return where a run keeps its checkpoints and reference log-probabilities until it has ended."""
    return run_folder(run_id) / "checkpoints"


def round_folder(run_id: str, number: int) -> Path:
    """Return where the checkpoints of one round lie: those of the first one beside the reference."""
    folder = checkpoints_folder(run_id)
    return folder if number == 1 else folder / f"round-{number}"


def checkpoints(folder: Path) -> list[Path]:
    """Return the whole checkpoints in a folder, in order of step."""
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=checkpoint_step)


def checkpoint_step(checkpoint: Path) -> int:
    """Return after how many optimiser steps it was written."""
    return int(_NAME.fullmatch(checkpoint.name)[1])


def last_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint, or None."""
    return next(reversed(checkpoints(folder)), None)


def progress_kept(info: RunInfo) -> str:
    """Return a sentence on where a stopped run goes on if it is resumed."""
    rounds = info.parameters.get("rounds", 1)
    number = next(number for number in count(1) if not model_folder(of_round(info.id, number)).exists())
    which = f" of round {number}" if rounds > 1 else ""
    if (model_folder(info.id) / CARD).is_file():
        return f"Resuming goes on with the evaluation{which}."
    last = last_checkpoint(round_folder(info.id, number))
    if last is not None:
        return f"Resuming goes on from step {checkpoint_step(last):,} of {info.parameters['max_steps']:,}{which}."
    if number > 1:
        return f"Resuming goes on with the beginning of round {number}."
    return "Resuming begins again, with all that it kept."


def disk_need(card: ModelCard, settings: TrainingSettings) -> int | None:
    """Return the bytes of disk that a run takes at its height; None while the model is not on this machine.

    While a checkpoint is written the one before is still there, and while the model is saved the last one. The models
    of the rounds before stay.
    """
    dpo = settings.dpo
    sizes = architecture_of(card)
    if sizes is None:
        return None
    weights = 4 * max(parameters_in_files(card) or 0, sizes.parameters)
    # What is trained and AdamW's two moments of it, in float32.
    checkpoint = 3 * (4 * sizes.adapter_parameters(dpo.lora_rank) if dpo.lora_rank else weights)
    together = 2 if 0 < dpo.save_steps < dpo.max_steps else 1
    return max(together * checkpoint, checkpoint + weights) + (settings.rounds - 1) * weights


def no_room(card: ModelCard, settings: TrainingSettings) -> str:
    """Return a sentence where the disk has too little room for a run; empty where it has enough."""
    need, free = disk_need(card, settings) or 0, shutil.disk_usage(workspace()).free
    if need <= free:
        return ""
    return (
        f"Checkpoints and model of the run take up to {size_words(need)} of disk, and {size_words(free)} are free; "
        "free some space, or set SAFENEURON_HOME to a folder on another disk."
    )


def require_room(card: ModelCard, settings: TrainingSettings) -> None:
    """Refuse a run that the disk has no room for.

    Raises
    ------
    UserError
        With what it takes and what is free.
    """
    sentence = no_room(card, settings)
    if sentence:
        raise UserError(sentence)
