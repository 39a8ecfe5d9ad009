"""Starting a run as a process of its own, stopping it, and waiting for it.

Submitit's local executor runs the job, or its Slurm executor, with the same code. The first one's
controller stays in the process group of whoever submits and keeps their standard output, so a
Ctrl-C in the terminal of the Streamlit server would end the training, and a shell pipe would wait
for it. Therefore a short-lived helper (submit.py) submits, in a session of its own: from then on
nothing that happens to the page, the server or the terminal reaches the run.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import safeneuron
from safeneuron.compute import shared_threads
from safeneuron.errors import UserError
from safeneuron.quiet import ENVIRONMENT
from safeneuron.runs import store
from safeneuron.runs.cluster import WAITING, Launch, NotTaken, refused_by_slurm, withdraw
from safeneuron.runs.info import RunInfo, run_folder
from safeneuron.runs.processes import slurm_job
from safeneuron.runs.queue import devices_here, draw_ticket, drop_ticket
from safeneuron.workspace import clear_disk_errors, workspace, write_json

SUBMIT_SECONDS = 120
JOB_FILE = "job.json"
"""In a run's folder: which function does the work, with how many threads, and how it is launched."""


def launch(run_id: str, target: str, threads: int | None = None, how: Launch = Launch()) -> None:
    """Start the process of a queued run, which waits for its turn, and return meanwhile.

    Parameters
    ----------
    run_id : str
    target : str
        The job as ``package.module:function``, see :func:`safeneuron.runs.worker.carry_out`.
    threads : int, optional
        Its share of the cores; half of them by default, the page has the others. On a cluster all that it is given.
    how : Launch
        Where, and in how many processes.

    Raises
    ------
    UserError
        When no process could be started.
    """
    how.require_here()
    folder = run_folder(run_id)
    write_json(folder / JOB_FILE, {"target": target, "threads": threads, "how": how.to_json()})
    if how.cluster == "local":
        draw_ticket(folder.name, devices_here(how.processes))
    else:
        store.change(folder.name, None, step=WAITING)
    log = folder / "log"
    with clear_disk_errors(log):
        log.mkdir(exist_ok=True)
        with (log / "launcher.log").open("wb") as output:
            helper = subprocess.Popen(
                [sys.executable, "-m", "safeneuron.runs.submit", run_id],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | environment(threads or shared_threads(busy=True)),
                start_new_session=True,
            )
    try:
        started = helper.wait(timeout=SUBMIT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        helper.kill()
        started = False
    if not started:
        drop_ticket(folder.name)
        why = refused_by_slurm(log / "launcher.log") if how.cluster == "slurm" else ""
        if why:
            raise NotTaken(why)
        raise UserError(f"The background process could not be started; {log / 'launcher.log'} says why.")


def launched_how(run_id: str) -> Launch:
    """Return how a run was launched; one of which nothing is said, as an earlier safeneuron's, in one process."""
    path = run_folder(run_id) / JOB_FILE
    facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Launch(**facts["how"]) if "how" in facts else Launch(processes=1)


def cancel(run_id: str) -> RunInfo:
    """Ask a run to stop at its next step, which takes a few seconds; one that has ended stays as it is."""
    info = store.get_run(run_id)
    if info.active:
        store.request_cancel(info.id)
        job = slurm_job(run_folder(info.id))
        # One that waits for a node has no process yet that could stop.
        if job and info.status == "queued" and withdraw(job):
            store.cancelled(info.id)
    return info


def wait(run_id: str, on_change: Callable[[RunInfo], None] | None = None, interval: float = 0.5) -> RunInfo:
    """Return the run once it has ended; an interruption of the waiting leaves the run alone.

    Parameters
    ----------
    run_id : str
    on_change : callable, optional
        Receives the run each time that its state was written anew.
    interval : float
        Seconds between two looks.
    """
    seen = 0.0
    while True:
        info = store.get_run(run_id)
        if on_change and info.updated != seen:
            on_change(info)
        seen = info.updated
        if not info.active:
            return info
        time.sleep(interval)


def environment(threads: int) -> dict[str, str]:
    """Return what is added to a job's environment: its threads, quiet libraries, and where safeneuron lies.

    The last, because the job may be started from any folder, by a server or a test.
    """
    package_parent = str(Path(safeneuron.__file__).resolve().parents[1])
    path = os.pathsep.join(part for part in (package_parent, os.environ.get("PYTHONPATH")) if part)
    own = {
        "PYTHONPATH": path,
        "SAFENEURON_HOME": str(workspace()),
        "SAFENEURON_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }
    return ENVIRONMENT | own
