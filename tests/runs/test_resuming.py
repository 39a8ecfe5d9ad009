"""Stopped runs go on in the same run, and only those."""

import time

import pytest

from safeneuron.errors import UserError
from safeneuron.runs import curves, launcher, store
from safeneuron.runs.resuming import resumable, resume

JOB = "tests.runs.jobs:short"


@pytest.fixture
def run_id(home, monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    return store.create_run("a name", "test", {}, {"Working": 1.0}).id


def test_a_stopped_run_goes_on_in_a_process_of_its_own(run_id):
    store.request_cancel(run_id)
    launcher.launch(run_id, JOB, threads=3)
    assert launcher.wait(run_id, interval=0.05).status == "cancelled"
    assert resumable(store.get_run(run_id))
    assert resume(run_id[:8]).status == "queued"
    info = launcher.wait(run_id, interval=0.05)
    assert (info.status, info.message, info.progress) == ("finished", "", 1.0)
    assert store.get_json(run_id, "environment")["OMP_NUM_THREADS"] == "3"
    texts = [event.text for event in store.events(run_id)]
    assert texts[:2] == ["Queued", "Started"] and texts[3:] == ["Resumed", "Started", "Working", "Finished"]
    with pytest.raises(UserError, match="has finished"):
        resume(run_id)


def test_a_run_at_work_is_left_alone(run_id):
    with pytest.raises(UserError, match="still at work"):
        resume(run_id)


def test_a_run_of_an_earlier_safeneuron_cannot_be_resumed(run_id):
    store.fail(run_id, "died")
    assert not resumable(store.get_run(run_id))
    with pytest.raises(UserError, match="start it again"):
        resume(run_id)


@pytest.fixture
def stopped(run_id, monkeypatch):
    started = []
    monkeypatch.setattr(launcher, "launch", lambda *arguments: started.append(arguments))
    (store.run_folder(run_id) / launcher.JOB_FILE).write_text('{"target": "a:b", "threads": null}')
    store.fail(run_id, "died")
    return started


def test_of_two_people_who_resume_at_once_one_does(run_id, stopped, monkeypatch):
    change = store.change

    def meanwhile(run_id, *arguments, **changes):
        # The other one had looked before this one's file was there.
        with pytest.MonkeyPatch.context() as patch, pytest.raises(UserError, match="being resumed already"):
            patch.setattr("pathlib.Path.glob", lambda self, pattern: iter(()))
            resume(run_id)
        return change(run_id, *arguments, **changes)

    monkeypatch.setattr(store, "change", meanwhile)
    resume(run_id)
    assert stopped == [(run_id, "a:b", None, launcher.Launch(processes=1))]


def test_a_resumed_run_is_not_taken_for_dead_before_its_process_has_begun(run_id, stopped):
    from safeneuron.runs.processes import PROCESS_FILE

    (store.run_folder(run_id) / PROCESS_FILE).write_text('{"host": "x", "pid": 1, "started": 0}')
    resume(run_id)
    assert store.get_run(run_id).status == "queued"


def test_a_process_that_cannot_be_started_again_is_said(run_id, stopped, monkeypatch):
    def refuse(*arguments):
        raise UserError("No process.")

    monkeypatch.setattr(launcher, "launch", refuse)
    with pytest.raises(UserError, match="No process"):
        resume(run_id)
    assert store.get_run(run_id).status == "failed"


def test_a_step_that_was_passed_twice_counts_once_as_it_was_last(run_id):
    for step, loss in ((1, 0.5), (2, 0.4), (2, 0.3), (3, 0.2)):
        curves.log_metrics(run_id, step, {"loss": loss})
        time.sleep(0.005)
    curve = curves.metric_history(run_id, "loss")
    assert curve.steps.tolist() == [1, 2, 3] and curve.values.tolist() == [0.5, 0.3, 0.2]
