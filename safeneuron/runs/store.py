"""The run store: every run with its state, history, tables and texts.

One folder per run, ``runs/<id>/`` in the workspace::

    status.json      state, phase, progress (see info.py: the one truth about them)
    events.jsonl     what happened, only ever appended to
    process.json     who does the work
    job.json         which function does the work, and how it is launched: what resuming starts again
    resumed-1        there once it was resumed for the first time
    cancel           there once somebody asked it to stop
    metrics          touched whenever a point was added to the curves (curves.py)
    name             there once a person renamed it (renaming.py)
    points.jsonl, sent.json
                     of a run that goes to a team's server: its curves, and what the server has (sending.py)
    artifacts/       tables (parquet) and JSON, where MLflow looks for them
    log/             standard output and error of the process

Curves and parameters lie in MLflow (curves.py, tracking.py).
"""

import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.runs import sending, tracking
from safeneuron.runs.info import (
    UNREADABLE,
    Event,
    RunInfo,
    Status,
    add_event,
    all_folders,
    read_events,
    read_info,
    run_folder,
    runs_folder,
    unreadable_run,
    write_info,
)
from safeneuron.runs.processes import is_alive, waiting
from safeneuron.workspace import clear_disk_errors, replacing, workspace, write_json

if TYPE_CHECKING:
    import pandas as pd

CANCEL_FILE = "cancel"
GONE = (
    "Its process ended without a word: it was killed, the machine stopped, or memory or disk ran out; resume it, or "
    "start it again."
)


def create_run(name: str, kind: str, parameters: Mapping[str, Any], phases: Mapping[str, float]) -> RunInfo:
    """Make a queued run; nothing works on it yet.

    Parameters
    ----------
    name, kind : str
    parameters : mapping
        JSON-ready settings; kept in the run and as MLflow parameters.
    phases : mapping of str to float
        The phases in order, each with its usual share of the time, in any unit.
    """
    run_id = tracking.open_run(name, parameters)
    if tracking.server():
        sending.begin(run_id)
    now = time.time()
    total = sum(phases.values())
    shares = {phase: share / total for phase, share in phases.items()}
    info = RunInfo(run_id, name, kind, "queued", shares, "", "", 0.0, "", dict(parameters), now, None, None, now)
    write_info(runs_folder() / run_id, info)
    add_event(runs_folder() / run_id, Event(now, "Queued"))
    _copy_status(info)
    return info


def list_runs(kind: str | None = None) -> list[RunInfo]:
    """Return all runs, or those of one kind, the newest first; one that cannot be read is of every kind."""
    found = []
    for folder in all_folders():
        try:
            info = read_info(folder)
        except UserError as error:
            found.append(unreadable_run(folder, str(error)))
        else:
            found.append(_looked_at(folder, info))
    wanted = (info for info in found if kind is None or info.kind in (kind, UNREADABLE))
    return sorted(wanted, key=lambda info: -info.created)


def get_run(run_id: str) -> RunInfo:
    """Return one run; the first digits of its id are enough."""
    folder = run_folder(run_id)
    return _looked_at(folder, read_info(folder))


def run_number(run_id: str) -> int:
    """Return a run's place among all runs, the oldest being 0; later runs do not move it."""
    return [info.id for info in reversed(list_runs())].index(run_folder(run_id).name)


def events(run_id: str) -> list[Event]:
    """Return what happened in a run, oldest first."""
    return read_events(run_folder(run_id))


def start(run_id: str) -> RunInfo:
    """Mark a run as running; its own process calls this."""
    return change(run_id, "Started", status="running", step="", started=time.time())


def set_phase(run_id: str, phase: str, fraction: float, step: str = "") -> RunInfo:
    """Say what a run is doing: the phase, the share of it done, and the step within it."""
    info = read_info(run_folder(run_id))
    names = list(info.phases)
    before = sum(info.phases[name] for name in names[: names.index(phase)])
    progress = max(info.progress, min(1.0, before + info.phases[phase] * fraction))
    return change(run_id, phase if phase != info.phase else None, phase=phase, step=step, progress=progress)


def finish(run_id: str) -> RunInfo:
    """Mark a run as finished."""
    return _end(run_id, "finished", "", progress=1.0)


def fail(run_id: str, message: str) -> RunInfo:
    """Mark a run as failed, with a sentence that says why and what to do."""
    return _end(run_id, "failed", message)


def cancelled(run_id: str) -> RunInfo:
    """Mark a run as stopped because somebody asked."""
    return _end(run_id, "cancelled", "Cancelled by request; what was stored before stays.")


def request_cancel(run_id: str) -> None:
    """Ask a run to stop at its next step."""
    folder = run_folder(run_id)
    with clear_disk_errors(folder):
        (folder / CANCEL_FILE).touch()


def cancel_requested(run_id: str) -> bool:
    """Tell whether somebody asked a run to stop; costs microseconds."""
    return (runs_folder() / run_id / CANCEL_FILE).exists()


def artifacts_folder(run_id: str) -> Path:
    """Return the folder of a run's tables and texts."""
    return run_folder(run_id) / "artifacts"


def put_table(run_id: str, name: str, frame: "pd.DataFrame") -> None:
    """Keep a table with a run, as parquet."""
    path = artifacts_folder(run_id) / f"{name}.parquet"
    with replacing(path) as staging:
        frame.to_parquet(staging, index=False)
    sending.offer(path.parent.parent.name)


def get_table(run_id: str, name: str) -> "pd.DataFrame":
    """Return a table of a run, or raise :class:`UserError` when it has none of that name."""
    import pandas as pd

    with _artifact(run_id, f"{name}.parquet") as path:
        return pd.read_parquet(path)


def put_json(run_id: str, name: str, value: Any) -> None:
    """Keep a JSON value with a run."""
    path = artifacts_folder(run_id) / f"{name}.json"
    write_json(path, value)
    sending.offer(path.parent.parent.name)


def get_json(run_id: str, name: str) -> Any:
    """Return a JSON value of a run, or raise :class:`UserError` when it has none of that name."""
    with _artifact(run_id, f"{name}.json") as path:
        return json.loads(path.read_text(encoding="utf-8"))


def put_text(run_id: str, name: str, text: str) -> None:
    """Keep a text with a run, such as a traceback."""
    path = artifacts_folder(run_id) / f"{name}.txt"
    with replacing(path) as staging:
        staging.write_text(text, encoding="utf-8")
    sending.offer(path.parent.parent.name)


def has_artifact(run_id: str, file_name: str) -> bool:
    """Tell whether a run has an artifact, such as ``"static.json"``, yet."""
    return (artifacts_folder(run_id) / file_name).is_file()


@contextmanager
def _artifact(run_id: str, file_name: str) -> Iterator[Path]:
    """Yield where an artifact lies, and say plainly that it is not there or cannot be read."""
    path = artifacts_folder(run_id) / file_name
    if not path.is_file():
        raise UserError(f"Run {run_id} has no {file_name}; it is there once the run has come that far.")
    try:
        yield path
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged; put it back from a copy, or start the run again.") from error


def _looked_at(folder: Path, info: RunInfo) -> RunInfo:
    """Return a run as it was read, and bury it first if its process is gone.

    The state is read again after the process was seen to be gone: it may have ended in the usual
    way between the two looks.
    """
    if not info.active:
        return info
    if is_alive(folder, info.updated):
        why = waiting(folder) if info.status == "queued" else ""
        return replace(info, step=why or info.step)
    info = read_info(folder)
    if not info.active:
        return info
    for remains in (workspace() / "models").glob(f".{info.id}.*.part"):
        shutil.rmtree(remains, ignore_errors=True)
    try:
        return cancelled(info.id) if cancel_requested(info.id) else fail(info.id, GONE)
    except UserError:
        # Where the disk is full, every page would fail with it; it is written down once there is room again.
        return replace(info, status="failed", message=GONE, step="")


def change(run_id: str, event: str | None, **changes: Any) -> RunInfo:
    """Write down what has changed in a run, and in its history if it matters."""
    folder = run_folder(run_id)
    info = replace(read_info(folder), updated=time.time(), **changes)
    if event:
        # First, so that whoever sees the new state finds it in the history, however soon the process is killed.
        add_event(folder, Event(info.updated, event))
    write_info(folder, info)
    if event:
        _copy_status(info)
    return info


def _end(run_id: str, status: Status, message: str, **changes: Any) -> RunInfo:
    text = status.capitalize() + (f": {message}" if message else "")
    return change(run_id, text, status=status, message=message, step="", ended=time.time(), **changes)


def _copy_status(info: RunInfo) -> None:
    """Copy the status to MLflow, which may fail (a server out of reach) without harm: the truth is on disk already."""
    if sending.on_server(info.id):
        sending.offer(info.id, at_once=not info.active)
        return
    try:
        tracking.set_status(info.id, info.status)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
        logging.getLogger(__name__).warning("MLflow did not take the status of run %s: %s", info.id, error)
