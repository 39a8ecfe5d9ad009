"""Where models go on this machine, and in which type of number; decided before torch is imported.

Results are kept under a model's fingerprint, and numbers of bfloat16 or of 4-bit weights are not those of
float32; so the precision is a part of it (:func:`precise_fingerprint`), and pages need it before they open
anything. Therefore the choice is made from the environment and the driver, and torch has to agree with it
when a model is opened: none is ever quietly opened somewhere else than was said.

Environment variables:

- ``SAFENEURON_DEVICE``: ``auto`` (default: every NVIDIA GPU, else Apple's, else the CPU), ``cpu``, ``cuda``
  (the first GPU), ``cuda:1``, ``mps``.
- ``SAFENEURON_LOAD``: ``auto`` (default: float32 on a CPU, bfloat16 elsewhere), ``float32``, ``bfloat16``,
  ``4bit`` (bitsandbytes on an NVIDIA GPU; for scoring and ablation, not for training).
- ``SAFENEURON_BATCH``: the most prompts that are computed together; fewer take less memory.
"""

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from safeneuron.errors import UserError
from safeneuron.models.nvidia import visible_gpus

Precision = Literal["float32", "bfloat16", "4bit"]
BITS: dict[Precision, int] = {"float32": 32, "bfloat16": 16, "4bit": 4}


@dataclass(frozen=True)
class Placement:
    """Where a model goes and how its weights are held.

    Parameters
    ----------
    device : str
        ``cpu``, ``mps``, ``cuda:0``, ..., or ``auto``: spread over all GPUs.
    precision : {"float32", "bfloat16", "4bit"}
    """

    device: str
    precision: Precision

    @property
    def on_cuda(self) -> bool:
        """Whether it goes to one or several NVIDIA GPUs."""
        return self.device == "auto" or self.device.startswith("cuda")

    @property
    def words(self) -> str:
        """Where and how, for people."""
        place = "all GPUs" if self.device == "auto" else {"cpu": "the CPU", "mps": "Apple's GPU"}.get(self.device)
        return f"{'4-bit' if self.precision == '4bit' else self.precision} on {place or f'GPU {self.device[5:]}'}"


def placement() -> Placement:
    """Return where models go, from the environment and what this machine has.

    Raises
    ------
    UserError
        When an environment variable asks for something that does not exist or cannot be had here.
    """
    device, precision = _device(), _setting("SAFENEURON_LOAD", ("auto", *get_args(Precision)))
    if precision == "auto":
        precision = "float32" if device == "cpu" else "bfloat16"
    found = Placement(device, precision)
    if precision == "4bit":
        _require_four_bit(found)
    return found


def precise_fingerprint(weights: str) -> str:
    """Return the name under which results of these weights are kept, as they are opened now.

    That of float32 is the weights' own, whatever the device: sums differ by rounding there, as they do
    between two processors.
    """
    precision = placement().precision
    return weights if precision == "float32" else f"{weights}+{precision}"


def weights_of(fingerprint: str) -> str:
    """Return the fingerprint of the weights alone, without the precision in which they were opened."""
    return fingerprint.split("+")[0]


def in_float32_on_one_device() -> None:
    """Let this process open every model in float32, on one GPU where there are several; for training runs.

    A step of 1e-5 is lost in bfloat16 weights, whose next number up is 0.4 % away, and TRL computes in
    bfloat16 by itself where that is faster. It refuses several GPUs without a launcher.
    """
    os.environ["SAFENEURON_LOAD"] = "float32"
    where = placement()
    if where.on_cuda:
        # TRL counts every GPU that it sees, also those that the model is not on.
        number = 0 if where.device == "auto" else int(where.device[5:])
        shown = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
        os.environ["CUDA_VISIBLE_DEVICES"] = shown[number] if number < len(shown) else str(number)
        os.environ["SAFENEURON_DEVICE"] = "cuda:0"


def largest_batch(usual: int) -> int:
    """Return how many prompts are computed together: as many as usual, or as ``SAFENEURON_BATCH`` allows.

    Raises
    ------
    UserError
        When that is no whole number above 0.
    """
    asked = os.environ.get("SAFENEURON_BATCH", "").strip()
    if not asked:
        return usual
    if not asked.isdecimal() or int(asked) == 0:
        raise UserError(f"SAFENEURON_BATCH is {asked!r}; set it to a whole number above 0, or not at all.")
    return min(usual, int(asked))


def loading_arguments(where: Placement) -> dict[str, Any]:
    """Return what ``from_pretrained`` has to be told to open a model there.

    Raises
    ------
    UserError
        When torch cannot use the device.
    """
    import torch

    if where.on_cuda and not torch.cuda.is_available():
        raise UserError(
            "PyTorch cannot use this machine's NVIDIA GPU; update its driver, install PyTorch for CUDA, "
            "or set SAFENEURON_DEVICE=cpu."
        )
    if where.device == "mps" and not torch.backends.mps.is_available():
        raise UserError("PyTorch cannot use Apple's GPU here; set SAFENEURON_DEVICE=cpu.")
    if where.device.startswith("cuda:") and int(where.device[5:]) >= torch.cuda.device_count():
        # The driver counts it, and PyTorch does not.
        raise UserError(
            f"PyTorch cannot use {where.device}; set SAFENEURON_DEVICE to one of cuda:0 to "
            f"cuda:{torch.cuda.device_count() - 1}, or to auto."
        )
    arguments: dict[str, Any] = {"dtype": torch.float32 if where.precision == "float32" else torch.bfloat16}
    if where.device != "cpu":
        arguments["device_map"] = "auto" if where.device == "auto" else {"": where.device}
    if where.precision == "4bit":
        from transformers import BitsAndBytesConfig

        arguments["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    return arguments


def require_on_gpus(device_map: dict[str, Any] | None) -> None:
    """Refuse a model of which accelerate put a part into the machine's memory, or onto its disk.

    Every pass would move that part to the GPU and back, and hooks would find no weights in it.

    Raises
    ------
    UserError
        When the GPUs did not have room for the whole.
    """
    if {"cpu", "disk"} & {str(place) for place in (device_map or {}).values()}:
        raise UserError(
            "The model does not fit into the memory of the GPUs; close what else is on them, set "
            "SAFENEURON_LOAD=4bit, set SAFENEURON_DEVICE=cpu, or choose a smaller model."
        )


def _device() -> str:
    asked = os.environ.get("SAFENEURON_DEVICE", "").strip() or "auto"
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", asked):
        raise UserError(f"SAFENEURON_DEVICE is {asked!r}; set it to auto, cpu, cuda, cuda:1 or mps, or not at all.")
    if asked.startswith("cuda"):
        return _asked_gpu(asked)
    if asked != "auto":
        return asked
    if _torch_has_cuda():
        gpus = len(visible_gpus())
        if gpus:
            return "auto" if gpus > 1 else "cuda:0"
    return "mps" if sys.platform == "darwin" and platform.machine() == "arm64" else "cpu"


def _asked_gpu(asked: str) -> str:
    """Return the GPU that was asked for, ``cuda`` or ``cuda:1``, if it is here."""
    number, gpus = int(asked[5:] or 0), len(visible_gpus())
    if not gpus:
        hidden = ", or CUDA_VISIBLE_DEVICES hides it" if "CUDA_VISIBLE_DEVICES" in os.environ else ""
        raise UserError(
            f"SAFENEURON_DEVICE is {asked!r}, but there is no NVIDIA GPU here{hidden}; set it to cpu, or not at all."
        )
    if number >= gpus:
        there = "cuda:0" if gpus == 1 else f"one of cuda:0 to cuda:{gpus - 1}"
        raise UserError(f"There is no {asked} here; set SAFENEURON_DEVICE to {there}, or to auto.")
    return f"cuda:{number}"


def _torch_has_cuda() -> bool:
    """Return whether the installed PyTorch was built for CUDA, read from its files."""
    found = find_spec("torch")
    if found is None or not found.origin:
        return False
    built = re.search(r"^cuda\b[^=]*= *(.*)$", (Path(found.origin).parent / "version.py").read_text(), re.MULTILINE)
    return built is not None and built[1].strip() != "None"


def _setting(name: str, allowed: tuple[str, ...]) -> str:
    asked = os.environ.get(name, "").strip() or allowed[0]
    if asked not in allowed:
        raise UserError(f"{name} is {asked!r}; set it to one of {', '.join(allowed)}, or not at all.")
    return asked


def _require_four_bit(where: Placement) -> None:
    if not where.on_cuda:
        raise UserError(
            "4-bit loading needs an NVIDIA GPU, and models go to "
            f"{'the CPU' if where.device == 'cpu' else where.device} here; set SAFENEURON_LOAD to bfloat16 or float32."
        )
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "4-bit loading needs the package bitsandbytes; install it with 'pip install bitsandbytes', "
            "or set SAFENEURON_LOAD to bfloat16."
        )
