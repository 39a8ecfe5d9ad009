"""What the process of a run does around the job itself: wait for its turn, report, listen for a stop, end plainly."""

import importlib
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

from safeneuron.errors import Cancelled, UserError
from safeneuron.progress import Progress
from safeneuron.runs import store
from safeneuron.runs.info import Event, RunInfo, add_event, run_folder
from safeneuron.runs.processes import record_process
from safeneuron.runs.queue import turn
from safeneuron.runs.trouble import plain_words

REPORT_SECONDS = 0.25
"""How often progress is written down at most; a page looks less often."""
PATIENCE_SECONDS = 120.0
"""How long a run tries to write down how it ended."""

Job = Callable[["Reporter"], None]


class Reporter:
    """A :data:`safeneuron.progress.Progress` that writes into the run and listens for a stop.

    A step with the name of one of the run's later phases opens that phase; any other step is a
    detail of the phase at hand.

    Parameters
    ----------
    run_id : str
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._phases = list(store.get_run(run_id).phases)
        self._at = -1
        self._written = 0.0

    def __call__(self, step: str, fraction: float) -> None:
        """Report, or raise :class:`Cancelled` when somebody asked the run to stop."""
        if store.cancel_requested(self.run_id):
            raise Cancelled
        opens = step in self._phases[self._at + 1 :]
        if opens:
            self._at = self._phases.index(step)
        now = time.monotonic()
        if self._at >= 0 and (opens or now - self._written >= REPORT_SECONDS):
            self._written = now
            phase = self._phases[self._at]
            store.set_phase(self.run_id, phase, fraction, "" if step == phase else step)


def part(progress: Progress, start: float, end: float) -> Progress:
    """Return a progress that fills only the stretch from ``start`` to ``end`` of another."""
    return lambda step, fraction: progress(step, start + (end - start) * fraction)


def carry_out(run_id: str, target: str) -> None:
    """Do a run's job in this process when it is its turn, and write down how it ended.

    Parameters
    ----------
    run_id : str
    target : str
        The job as ``package.module:function``; the function takes a :class:`Reporter`.
    """
    # Submitit makes its tasks deaf to SIGTERM. Here it unwinds the stack instead, so that
    # half-written files go and the run can say that it was ended.
    signal.signal(signal.SIGTERM, _unwind)
    # Slurm's sign that the time is nearly over.
    signal.signal(signal.SIGUSR2, lambda number, frame: _stop_in_time(run_id))
    record_process(run_folder(run_id))
    try:
        with turn(run_id):
            store.start(run_id)
            module, _, function = target.partition(":")
            job: Job = getattr(importlib.import_module(module), function)
            job(Reporter(run_id))
        ended = partial(store.finish, run_id)
    except Cancelled:
        ended = partial(store.cancelled, run_id)
    except UserError as error:
        ended = partial(store.fail, run_id, str(error))
    except (SystemExit, KeyboardInterrupt):
        ended = partial(
            store.fail,
            run_id,
            "It was ended from outside (the machine or another person stopped its process); resume it, or start it "
            "again.",
        )
    except Exception as error:  # noqa: BLE001 - the run must say why it failed, whatever the reason
        ended = partial(store.fail, run_id, _with_traceback(run_id, error))
    _write_down(ended)


def _write_down(ended: Callable[[], RunInfo]) -> None:
    """Write down how a run ended as soon as that can be written: its disk may be full, or read-only, for a while."""
    last = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            ended()
            return
        except UserError:
            if time.monotonic() > last:
                raise
            time.sleep(REPORT_SECONDS)


def _stop_in_time(run_id: str) -> None:
    add_event(run_folder(run_id), Event(time.time(), "Its time on the cluster is nearly over, so it stops in order"))
    store.request_cancel(run_id)


def _unwind(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _with_traceback(run_id: str, error: Exception) -> str:
    """Keep an error's traceback, which is printed too, and return the sentence on it."""
    traceback.print_exc()
    with suppress(UserError):
        store.put_text(run_id, "traceback", traceback.format_exc())
    return plain_words(error) or (
        f"{type(error).__name__}: {error} (this is a defect of safeneuron or of a library; "
        f"the traceback lies in {store.artifacts_folder(run_id)})."
    )
