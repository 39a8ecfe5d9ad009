"""The run in progress, looked at every two seconds, and only while there is one.

A page draws exactly one of the two views, so a page never has two polling fragments.
"""

import time
from collections.abc import Callable, Hashable

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.runs import launcher, store
from safeneuron.runs.info import RunInfo, run_folder
from safeneuron.runs.processes import slurm_job
from safeneuron.runs.resuming import resumable, resume
from safeneuron.runs.sending import unsent
from safeneuron.standing import log_tail, remaining
from safeneuron.training.checkpoints import progress_kept
from safeneuron.training.stages import stages_stamp
from safeneuron.ui import run_curves, training_words, words
from safeneuron.ui.marked_text import plain

POLL_SECONDS = 2


def active_run() -> RunInfo | None:
    """Return the run that is at work, or else the one that waited longest."""
    return next(iter(_active_runs()), None)


def queue_note(doing: str) -> None:
    """Say that what a button starts would wait, where other runs are at work; draws nothing where none is."""
    # Slurm's nodes are another machine's devices.
    runs = [info for info in _active_runs() if not slurm_job(run_folder(info.id))]
    if runs:
        state = "at work" if runs[0].status == "running" else "waiting"
        others = "" if len(runs) == 1 else f", and {len(runs) - 1} more behind it"
        st.caption(
            f":material/hourglass: {plain(runs[0].name)} is {state}{others}. "
            f"{doing} waits for its turn, one run at a time; it may be cancelled meanwhile."
        )


def _active_runs() -> list[RunInfo]:
    """Return those at work, then those that wait; in each the oldest first."""
    active = (info for info in reversed(store.list_runs()) if info.active)
    return sorted(active, key=lambda info: info.status == "queued")


def in_sidebar() -> None:
    """Show the run in progress in a few lines; draws nothing when there is none."""
    info = active_run()
    if info is None:
        return
    st.divider()
    _sidebar_view(info.id)


def in_page(run_id: str, other: ModelCard | None, results: Callable[[], None]) -> None:
    """Show a run at large: phases and Cancel, curves (over those of the compared model's run), history, results.

    Parameters
    ----------
    results : callable
        Draws what the run has changed: before the curves once it has ended, below what moves while it goes on.
    """
    info = store.get_run(run_id)
    compared = run_curves.compared_run(other, info)
    if info.active:
        _live_view(run_id, compared, stages_stamp(run_id))
        results()
    else:
        _head(info)
        results()
        _course(info, compared)


def job_in_page(info: RunInfo, stamp: Callable[[], Hashable]) -> None:
    """Show a job that measures something: phases and Cancel; the page is drawn anew whenever the stamp changes."""
    _job_view(info.id, stamp, stamp())


@st.fragment(run_every=POLL_SECONDS)
def _job_view(run_id: str, stamp: Callable[[], Hashable], drawn: Hashable) -> None:
    info = store.get_run(run_id)
    if not info.active:
        _announce(info)
    if stamp() != drawn:
        st.rerun(scope="app")
    with st.container(border=True):
        st.markdown(f"**{plain(info.name)}**", help=words.RUN)
        _state(info)
        _cancel_button(info)


@st.fragment(run_every=POLL_SECONDS)
def _sidebar_view(run_id: str) -> None:
    info = store.get_run(run_id)
    if not info.active:
        _announce(info)
    st.markdown("**Run in progress**", help=words.RUN)
    st.progress(info.progress, f"{_doing(info)} · {info.progress:.0%}")
    waiting = len(_active_runs()) - 1
    st.caption(plain(info.name) + (f" · {waiting} more {'waits' if waiting == 1 else 'wait'}" if waiting else ""))


@st.fragment(run_every=POLL_SECONDS)
def _live_view(run_id: str, compared: RunInfo | None, drawn: int) -> None:
    info = store.get_run(run_id)
    if not info.active:
        _announce(info)
    if stages_stamp(run_id) != drawn:
        # What the run has found and measured so far stands below, outside this fragment.
        st.rerun(scope="app")
    _head(info)
    _course(info, compared)


def _announce(info: RunInfo) -> None:
    """Tell that a run has ended and draw the whole page anew, without the fragment that polls."""
    icons = {"finished": ":material/check_circle:", "failed": ":material/error:"}
    st.toast(f"{plain(info.name)}: {info.status}.", icon=icons.get(info.status, ":material/cancel:"))
    st.rerun(scope="app")


def _head(info: RunInfo) -> None:
    st.subheader(f"{plain(info.name)} :gray[{info.id[:8]}]", anchor=False)
    _state(info)
    if info.active:
        _cancel_button(info)
    elif resumable(info):
        st.caption(progress_kept(info))
        if launcher.launched_how(info.id).cluster == "local":
            queue_note("The resumed run")
        if st.button("Resume run", key="resume_run", icon=":material/resume:"):
            resume(info.id)
            st.rerun()
    missing = unsent(info.id) if not info.active else ""
    if missing:
        st.caption(
            f":material/cloud_off: The tracking server lacks {missing} of this run; "
            f"`python -m safeneuron runs send {info.id[:8]}` sends it."
        )


def _course(info: RunInfo, compared: RunInfo | None) -> None:
    run_curves.show(info, compared)
    _last_lines(info)
    with st.expander("History and settings"):
        for event in store.events(info.id):
            st.markdown(f"`{time.strftime('%H:%M:%S', time.localtime(event.time))}` {event.text}")
        st.json(dict(info.parameters), expanded=False)


def _last_lines(info: RunInfo) -> None:
    """Show the last lines that the process printed, open where the run has failed."""
    text = log_tail(info.id)
    if text:
        with st.expander("Log", expanded=info.status == "failed", icon=":material/terminal:"):
            st.code(text, language=None, wrap_lines=True)


def _cancel_button(info: RunInfo) -> None:
    stopping = store.cancel_requested(info.id)
    if st.button("Stopping …" if stopping else "Cancel run", key="cancel_run", disabled=stopping):
        launcher.cancel(info.id)
        st.rerun(scope="fragment")


def _state(info: RunInfo) -> None:
    if info.status == "failed":
        st.error(info.message, icon=":material/error:")
    elif info.status == "cancelled":
        st.warning(info.message, icon=":material/cancel:")
    elif info.status == "finished":
        st.success(f"Finished. Its model is `{info.source[:12]}` in the Model menu.", icon=":material/check_circle:")
    else:
        phases = list(info.phases)
        at = phases.index(info.phase) if info.phase else -1
        marks = [
            f":green[✓ {name}]" if number < at else f"**{name}**" if number == at else f":gray[{name}]"
            for number, name in enumerate(phases)
        ]
        st.markdown("  →  ".join(marks))
        detail = f" · {info.step}" if info.phase and info.step else ""
        st.progress(info.progress, f"{_doing(info)}{detail} · {info.progress:.0%} of the whole run")
        if left := remaining(info):
            st.caption(f":material/schedule: {left}", help=training_words.REMAINING)


def _doing(info: RunInfo) -> str:
    """Return the phase of an active run, or for whom it waits."""
    return info.phase or info.step or "Waiting to start"
