"""Long work on a page: named steps with a bar each, a way to stop, and a share of the cores.

The work runs in the script's own thread. Streamlit interrupts a script at its next drawing call
when the person clicks anything, so a Stop button needs no machinery: every progress report draws,
and what was interrupted unwinds like any exception. Meanwhile the next run has begun in a thread of
its own, which waits where it must find what the work before has kept.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from safeneuron import pace
from safeneuron.compute import shared_threads, start_libraries, threads
from safeneuron.errors import UserError
from safeneuron.progress import Progress
from safeneuron.runs.info import run_folder
from safeneuron.runs.processes import slurm_job
from safeneuron.runs.store import list_runs

REDRAW_SECONDS = 0.2
_STOP = "stop_"
_WANTED, _LATEST = "wanted_work", "latest_work"
STOP_SECONDS = 15.0
"""How long the page waits after Stop for the batch at hand; by far most take less."""

STYLE = f"""<style>
body:has([class*='st-key-{_STOP}']) :is(.stFormSubmitButton, [data-stale='true']:has(.stButton)) {{ display: none; }}
</style>"""
"""Streamlit leaves what a run has not drawn again faded where it was until the run ends. While work goes on, no button
may stand there that seems to start it once more and in truth stops it; nor that of a form, which is always drawn."""


@dataclass(frozen=True)
class _Going:
    """A work of this session: in which thread it is done, and whether it has ended."""

    thread: int
    ended: threading.Event = field(default_factory=threading.Event)


class Steps:
    """A :data:`safeneuron.progress.Progress` that draws one bar per named step."""

    def __init__(self) -> None:
        self._bars: dict[str, st.delta_generator.DeltaGenerator] = {}
        self._drawn: dict[str, float] = {}
        self._step = ""
        self._at = 0.0

    def __call__(self, step: str, fraction: float) -> None:
        """Draw the share done, a few times a second at most."""
        if step != self._step:
            self.close()
            self._step = step
        now = time.monotonic()
        due = step not in self._bars or fraction >= 1.0 or now - self._at >= REDRAW_SECONDS
        self._drawn[step] = fraction
        if due:
            self._at = now
            self._draw(step, fraction)

    def close(self) -> None:
        """Fill the bar of the step at hand; some steps end without saying so."""
        if self._step and self._drawn[self._step] < 1.0:
            self._draw(self._step, 1.0)

    def _draw(self, step: str, fraction: float) -> None:
        share = min(max(fraction, 0.0), 1.0)
        text = f"{step} · {share:.0%}"
        if step in self._bars:
            self._bars[step].progress(share, text)
        else:
            self._bars[step] = st.progress(share, text)


@contextmanager
def long_work(label: str, key: str, resumes: bool = True, model: bool = True) -> Iterator[Progress]:
    """Show a box with the steps of some work and a Stop button, and give the work its threads.

    Parameters
    ----------
    label : str
        What is being done, in a few words.
    key : str
        Tells the Stop buttons of a page apart.
    resumes : bool
        Whether what was done until Stop is kept and gone on with.
    model : bool
        Whether a model computes; kept numbers alone are worked on without PyTorch.
    """
    place = st.empty()
    before, latest = st.session_state.get(_LATEST), _Going(threading.get_ident())
    st.session_state[_LATEST] = latest
    try:
        with place.container(border=True):
            heading, stop = st.columns([4, 1], vertical_alignment="center")
            heading.markdown(f"**{label}** …")
            stop.button("Stop", key=f"{_STOP}{key}", on_click=_note_stop, args=(label, resumes), width="stretch")
            steps = Steps()
            # Work within work is of the same thread.
            while before and before.thread != latest.thread and not before.ended.wait(REDRAW_SECONDS):
                steps("Waiting for the end of what was stopped", 0.0)
            if model and "torch" not in sys.modules:
                steps("Starting PyTorch (once per start of the server)", 0.0)
                with pace.measured_start():
                    start_libraries()
            with compute() if model else nullcontext():
                yield steps
            steps.close()
    except UserError:
        # Nothing goes on any more that could be stopped; the sentence stands alone.
        place.empty()
        raise
    finally:
        latest.ended.set()
    place.empty()


@contextmanager
def compute() -> Iterator[None]:
    """Give model work on a page its share of the cores: half of them while a run works here, or is about to."""
    with threads(shared_threads(busy=any(info.active and not slurm_job(run_folder(info.id)) for info in list_runs()))):
        yield


def asked(work: str, words: str, key: str, **button: Any) -> bool:
    """Draw the button that starts a work, or return True where it was pressed; then it is not drawn any more.

    That it was pressed is remembered, since preparing the work's model first may take a click, and so a run, of its
    own. Whoever does the work says :func:`begun`.

    Parameters
    ----------
    work : str
        Names the work and all that it depends on.
    words : str
        On the button, with what it costs.
    key : str
    **button
        As ``st.button`` takes it.
    """
    if st.session_state.get(_WANTED) == work:
        return True
    st.button(words, key=key, on_click=_want, args=(work,), **button)
    return False


def begun() -> None:
    """Forget the work that was wanted: its model is open, and it is being done."""
    st.session_state.pop(_WANTED, None)


def _want(work: str) -> None:
    st.session_state[_WANTED] = work


def _note_stop(label: str, resumes: bool) -> None:
    begun()
    ended = st.session_state[_LATEST].ended.wait(STOP_SECONDS)
    kept = "It begins anew the next time."
    if resumes:
        kept = "What was complete is kept; the next start goes on from there."
    first = f"Stopped: {label}." if ended else f"Stopping: {label}. It ends with the batch at hand."
    st.toast(f"{first} {kept}", icon=":material/stop_circle:")
