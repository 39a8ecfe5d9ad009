"""MLflow behind a few verbs: open a run, log its curves, read them back, delete it.

An SQLite file in the workspace unless ``MLFLOW_TRACKING_URI`` names a team's server; each run stays where it
was opened. Importing MLflow takes seconds, so it is imported by the first call that needs it; nothing is ever
reported to its makers.
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safeneuron.errors import UserError, shortened
from safeneuron.runs.info import Status, runs_folder
from safeneuron.workspace import clear_disk_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "safeneuron"
SERVER = "MLFLOW_TRACKING_URI"
SENT_FILE = "sent.json"
"""In the folder of a run that was opened on a team's server: what the server has of it (sending.py)."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""MLflow's own are two minutes and seven times: too long for whoever waits, and a run sends again anyway."""
MLFLOW_STATUS: dict[Status, str] = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
}


class ServerError(Exception):
    """The team's server did not answer, or refused; the text says why in a few words."""


@dataclass(frozen=True)
class Point:
    """What was logged at one step: the step, when (milliseconds since the epoch), and values by name."""

    step: int
    time: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """One metric over the steps: ``steps [n]`` int64, ``values [n]`` float64, in order of step."""

    steps: np.ndarray
    values: np.ndarray


def open_run(name: str, parameters: Mapping[str, Any]) -> str:
    """Make an MLflow run with these parameters and return its id.

    Raises
    ------
    UserError
        When the team's server does not answer.
    """
    from mlflow.entities import Param

    client = _client()
    try:
        with _clear_errors(bool(server())):
            run = client.create_run(_experiment(), run_name=name, tags={"mlflow.source.name": "safeneuron"})
            client.log_batch(run.info.run_id, params=[Param(key, str(value)) for key, value in parameters.items()])
    except ServerError as error:
        raise UserError(
            f"The tracking server {_without_password(server())} did not take the run ({error}); start it or check "
            f"{SERVER}, or unset that to keep runs in the workspace."
        ) from error
    return run.info.run_id


def server() -> str | None:
    """Return where new runs go besides the workspace, or None."""
    return os.environ.get(SERVER) or None


def on_server(run_id: str) -> bool:
    """Tell whether a run was opened on a team's server."""
    return (runs_folder() / run_id / SENT_FILE).is_file()


def set_status(run_id: str, status: Status) -> None:
    """Copy a run's status to MLflow."""
    with _of(run_id) as client:
        if status in ("queued", "running"):
            client.update_run(run_id, status=MLFLOW_STATUS[status])
        else:
            client.set_terminated(run_id, status=MLFLOW_STATUS[status])


def set_name(run_id: str, name: str) -> None:
    """Give a run another name."""
    with _of(run_id) as client:
        client.update_run(run_id, name=name)


def delete(run_id: str) -> None:
    """Delete MLflow's record of a run, which ``mlflow gc`` clears away; one that it does not know is no matter."""
    from mlflow.exceptions import MlflowException

    with _of(run_id) as client:
        try:
            client.delete_run(run_id)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise


def log_points(run_id: str, points: Sequence[Point]) -> None:
    """Add points to a run's curves; at most 1,000 values together."""
    from mlflow.entities import Metric

    metrics = [
        Metric(key, float(value), point.time, point.step) for point in points for key, value in point.values.items()
    ]
    with _of(run_id) as client:
        client.log_batch(run_id, metrics=metrics)


def metric_history(run_id: str, key: str) -> Curve:
    """Return a curve; it has no points while nothing was logged under that name."""
    with _of(run_id) as client:
        found = sorted(client.get_metric_history(run_id, key), key=lambda point: point.timestamp)
    return curve_of({point.step: point.value for point in found})


def curve_of(by_step: Mapping[int, float]) -> Curve:
    """Return values by step as a curve.

    A resumed run passes steps again that were logged after its last checkpoint; each step counts once, as it was last.
    """
    steps = sorted(by_step)
    return Curve(np.array(steps, dtype=np.int64), np.array([by_step[step] for step in steps], dtype=np.float64))


def metric_keys(run_id: str) -> list[str]:
    """Return the names of the curves that a run has, in alphabetical order."""
    with _of(run_id) as client:
        return sorted(client.get_run(run_id).data.metrics)


def copy_artifact(run_id: str, path: Path) -> None:
    """Send an artifact to the team's server; in the workspace it already lies where MLflow looks for it."""
    with _of(run_id) as client:
        client.log_artifact(run_id, str(path))


@contextmanager
def _of(run_id: str) -> Iterator["MlflowClient"]:
    """Yield the store that a run was opened in."""
    remote = on_server(run_id)
    if remote and not server():
        raise ServerError(f"{SERVER} is not set")
    with _clear_errors(remote):
        yield _client(remote)


@contextmanager
def _clear_errors(remote: bool) -> Iterator[None]:
    """Say plainly that the disk is full or read-only, where SQLite has words of its own, or what ails the server."""
    with clear_disk_errors(runs_folder()):
        try:
            yield
        except Exception as error:
            if remote:
                # A connection's error names its reason last, after the whole request.
                raise ServerError(shortened(" ".join(str(error).split()), 160)) from error
            if "disk is full" in str(error):
                raise OSError(errno.ENOSPC, "database or disk is full") from error
            if "readonly database" in str(error) or "unable to open database file" in str(error):
                raise OSError(errno.EROFS, "the database may not be written") from error
            raise


def _client(remote: bool = True) -> "MlflowClient":
    """Return the team's server, if it is asked for and there is one, or else the workspace's store."""
    folder = runs_folder()
    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return _client_of((server() if remote else None) or f"sqlite:///{folder / 'mlflow.db'}")


def _without_password(uri: str) -> str:
    """Return an address without the name and password that may stand in it."""
    scheme, mark, rest = uri.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


@cache
def _client_of(uri: str) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import logging

    from mlflow import MlflowClient

    # It announces on standard error that it makes its tables; whoever reads that thinks it is an error.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What its database refuses is raised too, and told in a sentence.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    try:
        return MlflowClient(tracking_uri=uri)
    except Exception as error:
        if "disk is full" in str(error):
            raise
        raise UserError(
            f"The run store {_without_password(uri)} cannot be opened ({error}); check MLFLOW_TRACKING_URI, "
            "or unset it to keep runs in the workspace."
        ) from error


def _experiment() -> str:
    from mlflow.exceptions import MlflowException

    client = _client()
    for attempt in (1, 2):
        found = client.get_experiment_by_name(EXPERIMENT)
        if found:
            return found.experiment_id
        try:
            # MLflow appends `<run id>/artifacts`, which makes one folder hold all of a run.
            return client.create_experiment(EXPERIMENT, artifact_location=None if server() else runs_folder().as_uri())
        except MlflowException:
            if attempt == 2:
                raise
            # Another process made it between the two calls; the second round finds it.
    raise AssertionError("unreachable")
