"""TensorBoard, Weights & Biases and trackio: where the trainer reports too when they are named. Needs no torch.

transformers' own integrations do the reporting; their packages are optional.
"""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from safeneuron.errors import UserError

PROJECT, NAME = "WANDB_PROJECT", "WANDB_NAME"
"""Variables in which a person, or :func:`point_trackers`, says what the run is called."""
TRACKERS = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases", "trackio": "trackio"}
"""By the name of their package, which is transformers' name for them too."""


def checked_trackers(names: Iterable[str]) -> tuple[str, ...]:
    """Return the trackers named, each once, or refuse a name that is none of them."""
    found = tuple(dict.fromkeys(names))
    unknown = next((name for name in found if name not in TRACKERS), None)
    if unknown is not None:
        raise UserError(f"Nothing reports to {unknown!r}; give one of {', '.join(TRACKERS)}.")
    return found


def require_trackers(names: Iterable[str]) -> None:
    """Refuse trackers whose package is not installed.

    Raises
    ------
    UserError
        With what to install.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        titles = " and ".join(TRACKERS[name] for name in missing)
        raise UserError(f"{titles} cannot be reported to before it is installed: pip install {' '.join(missing)}")


def point_trackers(folder: Path, name: str) -> None:
    """Tell the trackers of this process where to write, and what the run is called, unless a person has.

    Left alone, TensorBoard's files would lie among the checkpoints, which go when the model is saved.

    Parameters
    ----------
    folder : Path
        The run's; in it come ``tensorboard`` and ``wandb``.
    name : str
    """
    usual = {
        "TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"),
        "WANDB_DIR": str(folder),
        PROJECT: "safeneuron",
        NAME: name,
    }
    for variable, value in usual.items():
        os.environ.setdefault(variable, value)


def called_there() -> dict[str, str]:
    """Return project and name of the run as the trainer's settings have them: trackio reads no variables."""
    known = {"project": os.environ.get(PROJECT), "run_name": os.environ.get(NAME)}
    return {field: value for field, value in known.items() if value}
