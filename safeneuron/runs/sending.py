"""Sending a run to a team's server while the truth stays here: what the server missed is sent later.

A run that was opened on a server has two files more in its folder: ``points.jsonl``, its curves, and ``sent.json``,
what the server has of it. A server that is down, or dies, costs a run one short wait every half minute and nothing
else; once it answers, everything it lacks is sent, at the latest by ``runs send``.
"""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.runs import tracking
from safeneuron.runs.info import Event, add_event, read_info, run_folder, runs_folder
from safeneuron.runs.tracking import SENT_FILE, Point, ServerError, on_server
from safeneuron.workspace import clear_disk_errors, write_json

POINTS_FILE = "points.jsonl"
RETRY_SECONDS = 30.0
VALUES_TOGETHER = 1000
"""What MLflow takes in one request."""

_quiet_until: dict[str, float] = {}


@dataclass(frozen=True)
class Sent:
    """What the server has of a run.

    Parameters
    ----------
    points : int
        Lines of the run's points.
    files : mapping of str to int
        Artifacts by name, with the time (ns) at which each was written.
    status, name : str
        As they were told last.
    silent : bool
        Whether the server did not answer when it was last asked.
    """

    points: int = 0
    files: dict[str, int] = field(default_factory=dict)
    status: str = ""
    name: str = ""
    silent: bool = False


def begin(run_id: str) -> None:
    """Note that a run was opened on a server, which has nothing of it yet but its settings."""
    _write(run_id, Sent())


def keep(run_id: str, point: Point) -> None:
    """Add a point to the run's curves in its folder."""
    path = runs_folder() / run_id / POINTS_FILE
    with clear_disk_errors(path.parent), path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(point)) + "\n")


def points(run_id: str) -> list[Point]:
    """Return a run's points as they were logged; a line that a crash cut short is passed over."""
    path = runs_folder() / run_id / POINTS_FILE
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(Point(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def offer(run_id: str, at_once: bool = False) -> None:
    """Send what the server lacks; when it does not answer, say so once in the run's history and go on.

    Parameters
    ----------
    run_id : str
    at_once : bool
        Whether a server that did not answer a moment ago is asked again.
    """
    if not (on_server(run_id) and tracking.server()):
        return
    if not at_once and time.monotonic() < _quiet_until.get(run_id, 0.0):
        return
    before = _read(run_id)
    try:
        _send(run_id)
    except ServerError as error:
        _quiet_until[run_id] = time.monotonic() + RETRY_SECONDS
        if not before.silent:
            _write(run_id, replace(_read(run_id), silent=True))
            _tell(run_id, f"The tracking server does not take what is sent ({error}); it is kept here and sent later")
    else:
        if before.silent:
            _tell(run_id, "The tracking server answers again and has everything")


def send(run_id: str) -> str:
    """Send what the server lacks of a run, and return what that was, in words.

    Raises
    ------
    UserError
        When the run was not opened on a server, or the server does not take it.
    """
    known = run_folder(run_id).name
    if not on_server(known):
        raise UserError(f"The run {known[:8]} was started without a tracking server, so there is nothing to send.")
    lacking = unsent(known)
    try:
        _send(known)
    except ServerError as error:
        raise UserError(
            f"The tracking server did not take the run ({error}); check {tracking.SERVER} and that the server runs."
        ) from error
    return lacking or "nothing: the server had everything"


def unsent(run_id: str) -> str:
    """Return what the server lacks of a run, in words; empty where that is nothing, or there is no server."""
    if not on_server(run_id):
        return ""
    sent, folder = _read(run_id), runs_folder() / run_id
    rows, files = len(points(run_id)) - sent.points, len(_changed_files(folder, sent))
    counts = ((rows, "steps" if rows > 1 else "step"), (files, "files" if files > 1 else "file"))
    parts = [f"{count:,} {name}" for count, name in counts if count > 0]
    if sent.status != read_info(folder).status:
        parts.append("its status")
    return " and ".join(parts)


def _send(run_id: str) -> None:
    """Bring the server up to date, writing down after each part what it has."""
    folder = runs_folder() / run_id
    sent = replace(_read(run_id), silent=False)
    known = points(run_id)
    while sent.points < len(known):
        some = known[sent.points : sent.points + VALUES_TOGETHER // max(len(known[sent.points].values) + 4, 1)]
        tracking.log_points(run_id, some)
        sent = _write(run_id, replace(sent, points=sent.points + len(some)))
    for path, written in _changed_files(folder, sent):
        tracking.copy_artifact(run_id, path)
        sent = _write(run_id, replace(sent, files=sent.files | {path.name: written}))
    info = read_info(folder)
    if sent.name != info.name:
        tracking.set_name(run_id, info.name)
    if sent.status != info.status:
        tracking.set_status(run_id, info.status)
    if sent != (now := replace(sent, name=info.name, status=info.status)) or _read(run_id).silent:
        _write(run_id, now)


def _changed_files(folder: Path, sent: Sent) -> list[tuple[Path, int]]:
    """Return the artifacts that the server has not as they are."""
    there = [path for path in (folder / "artifacts").glob("*") if path.is_file() and not path.name.startswith(".")]
    times = [(path, path.stat().st_mtime_ns) for path in sorted(there)]
    return [(path, written) for path, written in times if sent.files.get(path.name) != written]


def _tell(run_id: str, text: str) -> None:
    add_event(runs_folder() / run_id, Event(time.time(), text))


def _read(run_id: str) -> Sent:
    """Return what the server has; nothing where the note is damaged, since sending twice does no harm."""
    try:
        return Sent(**json.loads((runs_folder() / run_id / SENT_FILE).read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return Sent()


def _write(run_id: str, sent: Sent) -> Sent:
    write_json(runs_folder() / run_id / SENT_FILE, asdict(sent))
    return sent
