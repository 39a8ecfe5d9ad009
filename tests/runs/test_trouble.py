import errno

import pytest

from safeneuron.runs import store
from safeneuron.runs.trouble import NO_DISK, NO_MEMORY, plain_words
from safeneuron.runs.worker import carry_out


def _wrapped(error):
    try:
        raise ValueError("a library's words") from error
    except ValueError as outer:
        return outer


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        _wrapped(MemoryError()),
    ],
)
def test_memory(error):
    assert plain_words(error) == NO_MEMORY


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "x"), _wrapped(OSError(errno.EDQUOT, "x"))])
def test_disk(error):
    assert plain_words(error) == NO_DISK


def test_a_defect_is_not_dressed_up():
    assert plain_words(ZeroDivisionError("division by zero")) is None
    assert plain_words(ValueError("the model is out of memory of its past")) is None


def test_a_run_without_memory_says_so_and_keeps_its_traceback(home, monkeypatch):
    import signal

    import torch

    before = signal.getsignal(signal.SIGTERM)
    run = store.create_run("a name", "test", {}, {"Working": 1.0}).id

    def job(report):
        report("Working", 0.5)
        torch.empty(2**55)

    monkeypatch.setattr("tests.runs.jobs.short", job)
    carry_out(run, "tests.runs.jobs:short")
    signal.signal(signal.SIGTERM, before)
    info = store.get_run(run)
    assert (info.status, info.message) == ("failed", NO_MEMORY)
    assert "allocate" in (store.artifacts_folder(run) / "traceback.txt").read_text()
