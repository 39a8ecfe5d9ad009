"""The memory of this machine: how much is free, and giving back what is no longer used. Needs no torch."""

import ctypes
import gc
import sys
from dataclasses import dataclass

import psutil

from safeneuron.models.device import Placement
from safeneuron.models.nvidia import visible_gpus


@dataclass(frozen=True)
class Memory:
    """Where a model would lie, and how much of it is free.

    Parameters
    ----------
    name : str
        In words: memory, or GPU memory.
    free, total : int
        Bytes; of all GPUs together where the model is spread over them.
    """

    name: str
    free: int
    total: int


def memory(where: Placement) -> Memory:
    """Return the memory that models go to, as it is now.

    GPUs are asked through torch once it uses them, since it sees what it has put aside for itself, and
    through their driver before that.
    """
    if not where.on_cuda:
        # Apple's GPU works in the memory of the whole machine.
        now = psutil.virtual_memory()
        return Memory("memory", now.available, now.total)
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        gpus = [torch.cuda.mem_get_info(number) for number in range(torch.cuda.device_count())]
    else:
        gpus = [(gpu.free, gpu.total) for gpu in visible_gpus()]
    if where.device != "auto":
        gpus = gpus[int(where.device[5:]) :][:1]
    return Memory("GPU memory", sum(free for free, _ in gpus), sum(total for _, total in gpus))


def release() -> None:
    """Give memory that is no longer used back to the system, so that the next model can have it."""
    # A model may hold itself in a cycle, and its memory is wanted now.
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":
        # glibc keeps what was freed in small pieces; other C libraries have no such call.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim:
            trim(0)
