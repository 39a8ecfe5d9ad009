"""Whether the process that does a run's work is still there.

A process number alone is not enough: numbers are given out again, after a restart of the machine
at the latest. So the start time stands beside it, and the host, since a workspace may be shared
or have been copied from another machine, where only the run's last sign of life can tell.
"""

import json
import os
import socket
import time
from pathlib import Path

import psutil

from safeneuron.workspace import write_json

PROCESS_FILE = "process.json"
STARTING_SECONDS = 120.0
SILENT_SECONDS = 900.0


def record_process(folder: Path, pid: int | None = None) -> None:
    """Note in a run's folder who does its work: this process, or the one given."""
    number = os.getpid() if pid is None else pid
    write_json(
        folder / PROCESS_FILE,
        {"host": socket.gethostname(), "pid": number, "started": psutil.Process(number).create_time()},
    )


def is_alive(folder: Path, last_sign: float) -> bool:
    """Tell whether somebody still works on a run.

    Parameters
    ----------
    folder : Path
        The run's.
    last_sign : float
        When its state was last written, in seconds since the epoch.
    """
    try:
        known = json.loads((folder / PROCESS_FILE).read_text(encoding="utf-8"))
        host, number, started = known["host"], known["pid"], known["started"]
    except FileNotFoundError:
        return time.time() - last_sign < STARTING_SECONDS
    except (ValueError, KeyError, TypeError):  # damaged: nobody can be asked either
        return time.time() - last_sign < SILENT_SECONDS
    if host != socket.gethostname():
        return time.time() - last_sign < SILENT_SECONDS
    try:
        process = psutil.Process(number)
        # A zombie has ended and only waits for its parent, which may be a server that never asks.
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False
