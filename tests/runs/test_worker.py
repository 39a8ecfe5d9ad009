import errno
from pathlib import Path

import pytest

from safeneuron.errors import Cancelled, UserError
from safeneuron.runs import store, worker
from safeneuron.runs.worker import Reporter, carry_out, part

PHASES = {"Reading": 1.0, "Working": 1.0}


@pytest.fixture
def run_id(home):
    import signal

    before = signal.getsignal(signal.SIGTERM)
    yield store.create_run("a name", "test", {}, PHASES).id
    signal.signal(signal.SIGTERM, before)


def _carry_out(run_id, job, monkeypatch):
    monkeypatch.setattr("tests.runs.jobs.short", job)
    carry_out(run_id, "tests.runs.jobs:short")
    return store.get_run(run_id)


def test_a_job_that_ends_is_finished(run_id, monkeypatch):
    info = _carry_out(run_id, lambda report: report("Working", 0.5), monkeypatch)
    assert (info.status, info.phase, info.message) == ("finished", "Working", "")
    assert info.started <= info.ended


def test_a_mistake_is_said_in_its_own_words(run_id):
    carry_out(run_id, "tests.runs.jobs:mistaken")
    info = store.get_run(run_id)
    assert (info.status, info.message) == ("failed", "The file is empty; give another.")
    assert not store.has_artifact(run_id, "traceback.txt")


def test_a_defect_keeps_its_traceback(run_id):
    carry_out(run_id, "tests.runs.jobs:defective")
    info = store.get_run(run_id)
    assert info.status == "failed"
    assert info.message.startswith("ZeroDivisionError: division by zero")
    assert "in defective" in (store.artifacts_folder(run_id) / "traceback.txt").read_text()
    assert [event.text for event in store.events(run_id)][:3] == ["Queued", "Started", "Working"]


def test_a_job_that_does_not_exist_fails(run_id):
    carry_out(run_id, "tests.runs.jobs:missing")
    assert "missing" in store.get_run(run_id).message


@pytest.mark.parametrize("ended", [SystemExit, KeyboardInterrupt])
def test_ended_from_outside(run_id, monkeypatch, ended):
    def job(report):
        raise ended

    assert "ended from outside" in _carry_out(run_id, job, monkeypatch).message


def test_cancel_stops_at_the_next_report(run_id, monkeypatch):
    def job(report):
        report("Working", 0.5)
        store.request_cancel(run_id)
        report("Working", 0.6)
        raise AssertionError("went on")

    assert _carry_out(run_id, job, monkeypatch).status == "cancelled"


def test_cancelled_before_it_began(run_id, monkeypatch):
    store.request_cancel(run_id)
    assert _carry_out(run_id, lambda report: report("Working", 0.0), monkeypatch).status == "cancelled"


def test_a_full_disk_fails_with_a_sentence(run_id, monkeypatch):
    def job(report):
        patch = pytest.MonkeyPatch()

        def full(self, *arguments, **more):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_text", full)
        try:
            report("Working", 0.0)
        finally:
            patch.undo()

    info = _carry_out(run_id, job, monkeypatch)
    assert info.status == "failed"
    assert "is full" in info.message


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_how_it_ended_is_written_down_once_that_can_be_written(run_id, monkeypatch, end):
    whole, tries = getattr(store, end), []

    def refuse_twice(*arguments):
        tries.append(arguments)
        if len(tries) < 3:
            raise UserError("The folder may not be written; set SAFENEURON_HOME.")
        return whole(*arguments)

    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.01)
    monkeypatch.setattr(store, end, refuse_twice)

    def job(report):
        if end == "fail":
            raise UserError("The folder may not be written; set SAFENEURON_HOME.")

    info = _carry_out(run_id, job, monkeypatch)
    assert len(tries) == 3
    expected = (
        ("finished", "") if end == "finish" else ("failed", "The folder may not be written; set SAFENEURON_HOME.")
    )
    assert (info.status, info.message) == expected


def test_a_run_that_can_never_write_down_its_end_gives_up(run_id, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.0)

    def refuse(*arguments):
        raise UserError("The disk is full; free some space.")

    monkeypatch.setattr(store, "finish", refuse)
    with pytest.raises(UserError, match="disk is full"):
        _carry_out(run_id, lambda report: None, monkeypatch)


def test_phases_go_forward_only_and_other_steps_are_details(run_id):
    report = Reporter(run_id)
    report("before any phase", 0.5)
    assert store.get_run(run_id).phase == ""
    report("Working", 0.0)
    report._written = 0.0
    report("Reading", 0.5)
    info = store.get_run(run_id)
    assert (info.phase, info.step, info.progress) == ("Working", "Reading", 0.75)


def test_a_listener_is_told_of_a_cancel(run_id):
    store.request_cancel(run_id)
    with pytest.raises(Cancelled):
        Reporter(run_id)("Working", 0.0)


def test_part_fills_a_stretch():
    seen = []
    inner = part(lambda step, fraction: seen.append((step, fraction)), 0.5, 1.0)
    inner("a", 0.0)
    inner("b", 0.5)
    assert seen == [("a", 0.5), ("b", 0.75)]
