"""Why a run failed, in plain words, and the last lines of its log."""

import errno
from pathlib import Path

from safeneuron.runs.info import run_folder
from safeneuron.workspace import FULL_DISK

LINES = 15
LONGEST_LINE = 300
TAIL_BYTES = 20_000

NO_MEMORY = (
    "Memory ran out: what was saved stays, and resuming goes on from there; close other programs, or start again with "
    "a smaller batch (--batch-size), shorter pairs (--max-length) or a LoRA adapter (--lora-rank)."
)
NO_DISK = "The disk is full: what was saved stays; free some space, and resume the run."
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc")


def plain_words(error: BaseException) -> str | None:
    """Return what an error means for the person who started the run, or None for what is a defect.

    Parameters
    ----------
    error : BaseException
        Its causes are looked at too: libraries wrap what the system said.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        memory = isinstance(seen, MemoryError) or getattr(seen, "errno", None) == errno.ENOMEM
        # PyTorch on a CPU, CUDA and Apple's GPU each say it in a RuntimeError.
        if memory or (isinstance(seen, RuntimeError) and any(words in text for words in _MEMORY_WORDS)):
            return NO_MEMORY
        if getattr(seen, "errno", None) in FULL_DISK or "no space left on device" in text:
            return NO_DISK
        seen = seen.__cause__ or seen.__context__
    return None


def log_tail(run_id: str) -> list[str]:
    """Return the last lines that a run's process wrote, of the log that was written to last; empty without any."""
    folder = run_folder(run_id) / "log"
    logs = [path for path in folder.glob("*") if path.suffix in (".out", ".err", ".log") and path.stat().st_size]
    # Errors are at the end of standard error, and what a library said before them is there too.
    logs.sort(key=lambda path: (path.suffix != ".log", path.stat().st_mtime, path.suffix == ".err"))
    return _last_lines(logs[-1]) if logs else []


def _last_lines(path: Path) -> list[str]:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    # A progress bar rewrites its line; only its last state is read.
    lines = [line.split("\r")[-1].rstrip()[:LONGEST_LINE] for line in text.splitlines()]
    return [line for line in lines if line][-LINES:]
