"""Whether the process that does a run's work is still there.

A process number alone is not enough: numbers are given out again, after a restart of the machine
at the latest. So the start time stands beside it, and the host, since a workspace may be shared
or have been copied from another machine, where only the run's last sign of life can tell. A run that
Slurm has is asked after there.
"""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil

from safeneuron.runs import cluster
from safeneuron.workspace import write_json

PROCESS_FILE = "process.json"
STARTING_SECONDS = 120.0
SILENT_SECONDS = 900.0
WATCH_SECONDS = 0.5


def record_process(folder: Path, pid: int | None = None) -> None:
    """Note in a run's folder who does its work: this process, or Slurm's job in which it is, or the one given."""
    if pid is None and os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        record_job(folder, os.environ["SLURM_JOB_ID"])
        return
    number = os.getpid() if pid is None else pid
    write_json(
        folder / PROCESS_FILE,
        {"host": socket.gethostname(), "pid": number, "started": psutil.Process(number).create_time()},
    )


def record_job(folder: Path, job: str) -> None:
    """Note in a run's folder that it is a job of Slurm's."""
    write_json(folder / PROCESS_FILE, {"slurm": job})


def slurm_job(folder: Path) -> str | None:
    """Return the number of the job that a run is, or None where it is a process of some machine."""
    try:
        return json.loads((folder / PROCESS_FILE).read_text(encoding="utf-8")).get("slurm")
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def waiting(folder: Path) -> str:
    """Return why a run still waits for Slurm, where Slurm says why, else nothing."""
    job = slurm_job(folder)
    return cluster.waiting(job) if job else ""


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
        if "slurm" in known:
            return cluster.is_known(known["slurm"])
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


def end_with(number: int) -> None:
    """End this process as soon as another of this machine is gone, which may have been killed; does not return."""
    with suppress(psutil.NoSuchProcess):
        watched = psutil.Process(number)
        while watched.is_running() and watched.status() != psutil.STATUS_ZOMBIE:
            time.sleep(WATCH_SECONDS)
    os._exit(1)
