"""What is known of a run, as read from its folder.

``status.json`` in the run's folder is the one truth about a run's state. It is read in a tenth of
a millisecond and without importing MLflow, so every page may poll it; it is written
by one process at a time (whoever creates the run, then the run itself) and always replaced
whole, so a reader never sees half of it. MLflow holds the settings, the curves and a copy of the
status, for ``mlflow ui`` and for a team's server.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from safeneuron.errors import UserError
from safeneuron.workspace import clear_disk_errors, workspace, write_json

Status = Literal["queued", "running", "finished", "failed", "cancelled"]
ACTIVE: tuple[Status, ...] = ("queued", "running")
STATUS_FILE = "status.json"
EVENTS_FILE = "events.jsonl"
NAME_FILE = "name"
"""There once a person renamed the run: apart from the state, which only the run's own process may write."""
UNREADABLE = "unreadable"
"""The kind of a run whose state cannot be read."""
RUN_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class RunInfo:
    """One run as it stands.

    Parameters
    ----------
    id : str
        The MLflow run id, 32 hexadecimal digits; also the name of the run's folder.
    name : str
        For people.
    kind : str
        What sort of job this is, such as ``masked-dpo``.
    status : {"queued", "running", "finished", "failed", "cancelled"}
    phases : mapping of str to float
        The phases in order, each with its usual share of the whole time.
    phase : str
        The one it is in, or was last in; empty before the first.
    step : str
        What it is doing within the phase, in words; may be empty.
    progress : float
        Share of the whole run done, 0 to 1; never falls.
    message : str
        Why it failed or was cancelled, one sentence for people; else empty.
    parameters : mapping
        The settings it was started with.
    created, started, ended, updated : float or None
        Seconds since the epoch; ``updated`` is the last sign of life.
    """

    id: str
    name: str
    kind: str
    status: Status
    phases: Mapping[str, float]
    phase: str
    step: str
    progress: float
    message: str
    parameters: Mapping[str, Any]
    created: float
    started: float | None
    ended: float | None
    updated: float

    @property
    def active(self) -> bool:
        """Whether it is still to do something."""
        return self.status in ACTIVE

    @property
    def source(self) -> str:
        """What ``--model`` takes once the run has finished."""
        return f"run:{self.id}"


@dataclass(frozen=True)
class Event:
    """Something that happened in a run: when (seconds since the epoch), and what, in words."""

    time: float
    text: str


def runs_folder() -> Path:
    """Return the folder that holds one folder per run."""
    return workspace() / "runs"


def run_folder(run_id: str) -> Path:
    """Return a run's folder; ``run:<id>`` and the first digits of an id are understood.

    Raises
    ------
    UserError
        When no run, or more than one, has such an id.
    """
    wanted = run_id.removeprefix("run:")
    known = runs_folder() / wanted
    if RUN_ID.fullmatch(wanted) and (known / STATUS_FILE).is_file():
        return known
    found = [folder for folder in all_folders() if wanted and folder.name.startswith(wanted)]
    if len(found) != 1:
        raise UserError(
            f"There {'are several runs' if found else 'is no run'} {wanted!r}; "
            "give one of those that `python -m safeneuron runs` lists."
        )
    return found[0]


def all_folders() -> list[Path]:
    """Return the folders of all runs, in no particular order."""
    found = (path.parent for path in runs_folder().glob(f"*/{STATUS_FILE}"))
    # One that is being deleted has another name already.
    return [folder for folder in found if RUN_ID.fullmatch(folder.name)]


def read_info(folder: Path) -> RunInfo:
    """Read the state from a run's folder.

    Raises
    ------
    UserError
        When it is damaged, which only a failing disk or another program can have done.
    """
    path = folder / STATUS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        info = RunInfo(**facts | {"phases": dict(facts["phases"])} | _given_name(folder))
        if info.status not in get_args(Status):
            raise ValueError(info.status)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged, so nothing is known of this run but what lies beside that file; put it back from a "
            "copy, or delete the folder."
        ) from error
    return info


def _given_name(folder: Path) -> dict[str, str]:
    try:
        return {"name": (folder / NAME_FILE).read_text(encoding="utf-8")}
    except FileNotFoundError:
        return {}


def unreadable_run(folder: Path, reason: str) -> RunInfo:
    """Return what a list shows for a run whose state cannot be read, so that it is named and the others go on."""
    history = read_events(folder)
    created = history[0].time if history else folder.stat().st_mtime
    name = f"(its {STATUS_FILE} is damaged)"
    return RunInfo(folder.name, name, UNREADABLE, "failed", {}, "", "", 0.0, reason, {}, created, None, None, created)


def write_info(folder: Path, info: RunInfo) -> None:
    """Replace the state in a run's folder."""
    # As pairs, since a JSON object would forget the order of the phases.
    write_json(folder / STATUS_FILE, vars(info) | {"phases": list(info.phases.items())})


def add_event(folder: Path, event: Event) -> None:
    """Append to the run's history, which nothing ever shortens."""
    with clear_disk_errors(folder), (folder / EVENTS_FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"time": event.time, "text": event.text}) + "\n")


def read_events(folder: Path) -> list[Event]:
    """Return the run's history; a line that a crash cut short, or that is no event, is passed over."""
    try:
        lines = (folder / EVENTS_FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Event(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found
