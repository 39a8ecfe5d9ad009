"""NVIDIA's GPUs as their driver tells of them (NVML), before torch is imported and without opening any."""

import ctypes
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class GPU:
    """One GPU and its memory in bytes, as other programs leave it."""

    free: int
    total: int


class _MemoryInfo(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def visible_gpus() -> list[GPU]:
    """Return the GPUs that this process may use, in the order of ``CUDA_VISIBLE_DEVICES``; none without a driver."""
    library = _library()
    if library is None or library.nvmlInit_v2() != 0:
        return []
    try:
        return [found for name in _visible(library) if (found := _gpu(library, name))]
    finally:
        library.nvmlShutdown()


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:
        return None


def _visible(library: ctypes.CDLL) -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        count = ctypes.c_uint()
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        return [str(number) for number in range(count.value)]
    return [part.strip() for part in named.split(",")]


def _gpu(library: ctypes.CDLL, name: str) -> GPU | None:
    """Return a GPU by its number or its UUID, or None where there is no such one: -1, or an empty name."""
    handle = ctypes.c_void_p()
    if name.isdecimal():
        code = library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle))
    else:
        code = library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    memory = _MemoryInfo()
    if code != 0 or library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0:
        return None
    return GPU(memory.free, memory.total)
