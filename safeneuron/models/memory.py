"""How much memory a model's weights will take, before it is opened."""

from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import weights_folder

BYTES_PER_WEIGHT = 4
"""Every model is opened in float32, whatever its files hold."""


def memory_estimate(card: ModelCard) -> int | None:
    """Return the bytes that the weights take once open, or None while they are not on this machine.

    Only the headers of the files are read, without torch. Tied weights that a file holds twice are
    counted twice, which files that transformers wrote never do.

    Raises
    ------
    UserError
        When a weight file is damaged.
    """
    files = _weight_files(weights_folder(card))
    return sum(map(_weights_in, files)) * BYTES_PER_WEIGHT if files else None


def _weight_files(folder: Path) -> list[Path]:
    """Return the files that transformers opens; some folders hold the same weights once more in another format."""
    for pattern in ("model.safetensors", "model-*.safetensors", "*.safetensors"):
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def _weights_in(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise UserError(f"{path} is damaged or cut short ({error}); fetch or prepare the model again.") from error
