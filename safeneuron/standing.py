"""What a person wants to know of a job at work: how long it still takes, and what its process said last."""

import time
from pathlib import Path

from safeneuron.runs.info import RunInfo, run_folder

LEAST_PROGRESS = 0.02
"""Below it, nothing can be told of the rest."""
LOG_BYTES = 20_000


def remaining(info: RunInfo) -> str:
    """Return how long a run still takes at the pace it had so far, in words; empty where that cannot be told.

    By the usual shares of its phases, so that it is rough; a resumed run passes what it kept within seconds and seems
    faster than it is at first.
    """
    if info.status != "running" or not info.started or info.progress < LEAST_PROGRESS:
        return ""
    seconds = (time.time() - info.started) * (1 - info.progress) / info.progress
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s left"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"


def log_tail(run_id: str, lines: int = 30) -> str:
    """Return the last lines that a run's process printed, errors among them; empty where it printed none."""
    found = sorted((run_folder(run_id) / "log").glob("*"), key=lambda path: path.stat().st_mtime)
    texts = [_end(path) for path in found if path.suffix in (".out", ".err", ".log")]
    kept = [line for text in texts for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


def _end(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LOG_BYTES))
        return stream.read().decode("utf-8", errors="replace")
