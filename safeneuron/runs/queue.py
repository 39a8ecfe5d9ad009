"""Whose turn it is: one run at a time on a device, in the order in which they were asked for.

Who asks for a run draws a ticket, a file whose name begins with the time; the run's process goes when no
earlier ticket names one of its devices, and holds a lock on each while it works. The lock is the system's
own, so that of a killed process is free at once; whoever looks at a ticket of a run that is over takes it away.
All of it lies in the workspace, ``queue/<host>/``, so every dashboard and command on it sees the same.
"""

import json
import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.device import placement
from safeneuron.models.nvidia import visible_gpus
from safeneuron.runs import store
from safeneuron.runs.info import Event, RunInfo, add_event, run_folder, runs_folder
from safeneuron.workspace import clear_disk_errors, workspace, write_json

LOOK_SECONDS = 0.5
WAITING = "Waiting for "
GPU = "gpu-"
"""What the name of an NVIDIA GPU begins with; its number or UUID follows."""
_TICKET = re.compile(r"[0-9]{20}-(?P<run>[0-9a-f]{32})\.json")


def devices_here(processes: int | None = None) -> tuple[str, ...]:
    """Return the devices that a run takes, by names that hold on the whole machine.

    Parameters
    ----------
    processes : int, optional
        That train together, each on a GPU of its own where there are some; otherwise the run takes all that
        models are opened on.

    Raises
    ------
    UserError
        When there are fewer GPUs than processes.
    """
    where = placement()
    if not where.on_cuda:
        return (where.device,)
    count = len(visible_gpus())
    first = 0 if where.device == "auto" else int(where.device[5:])
    wanted = processes or (count if where.device == "auto" else 1)
    if first + wanted > count:
        raise UserError(f"{wanted} processes need a GPU each, and there are {count - first}; lower --processes.")
    return tuple(f"{GPU}{_physical(number)}" for number in range(first, first + wanted))


def draw_ticket(run_id: str, devices: Sequence[str]) -> None:
    """Put a run behind all those that wait for one of the devices, or are on it."""
    path = _folder() / f"{time.time_ns():020d}-{run_id}.json"
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, list(devices))


def drop_ticket(run_id: str) -> None:
    """Leave the queue."""
    for path in _folder().glob(f"*-{run_id}.json"):
        # Where it cannot be deleted, whoever waits for the run deletes it once the run is over.
        with suppress(OSError):
            path.unlink()


def runs_ahead(run_id: str) -> list[RunInfo]:
    """Return the runs that a run waits for, the one whose turn it is first; empty where it has no ticket."""
    tickets = {_TICKET.fullmatch(path.name)["run"]: path for path in _tickets()}
    if run_id not in tickets:
        return []
    wanted = _devices(tickets[run_id])
    found = []
    for other, path in tickets.items():
        if other == run_id:
            break
        if not wanted & _devices(path):
            continue
        if not (runs_folder() / other).is_dir() or not (info := store.get_run(other)).active:
            path.unlink(missing_ok=True)
        else:
            found.append(info)
    return found


@contextmanager
def turn(run_id: str) -> Iterator[None]:
    """Wait until it is a run's turn, saying for whom, and hold its devices for the block.

    A run without a ticket, that nobody queued, waits for nobody.

    Raises
    ------
    Cancelled
        When somebody cancels the run while it waits.
    """
    own = next((path for path in _tickets() if path.name.endswith(f"-{run_id}.json")), None)
    if own is None:
        yield
        return
    devices = sorted(_devices(own))
    try:
        with ExitStack() as held:
            said = ""
            while not _taken(held, run_id, devices):
                ahead = runs_ahead(run_id)
                # Nobody is ahead while the last one is just leaving.
                step = f"{WAITING}{ahead[-1].name} ({ahead[-1].id[:8]})" if ahead else said
                if step != said:
                    add_event(run_folder(run_id), Event(time.time(), step))
                    store.change(run_id, None, step=step)
                    said = step
                if store.cancel_requested(run_id):
                    raise Cancelled
                time.sleep(LOOK_SECONDS)
            yield
    finally:
        drop_ticket(run_id)


def _taken(held: ExitStack, run_id: str, devices: Sequence[str]) -> bool:
    """Lock every device if it is the run's turn, or none."""
    if runs_ahead(run_id):
        return False
    with ExitStack() as locks:
        try:
            for device in devices:
                locks.enter_context(FileLock(_folder() / f"{device}.lock", timeout=0))
        except Timeout:
            return False
        held.enter_context(locks.pop_all())
    return True


def _folder() -> Path:
    """Return this machine's queue; another's devices are not these, though the workspace may be shared."""
    return workspace() / "queue" / socket.gethostname()


def _tickets() -> list[Path]:
    """Return the tickets, the earliest first."""
    return sorted(path for path in _folder().glob("*.json") if _TICKET.fullmatch(path.name))


def _devices(ticket: Path) -> set[str]:
    try:
        return set(json.loads(ticket.read_text(encoding="utf-8")))
    except FileNotFoundError:  # its run has just left
        return set()


def _physical(number: int) -> str:
    """Return the name of a GPU as the driver counts them."""
    shown = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    return shown[number] if number < len(shown) else str(number)
