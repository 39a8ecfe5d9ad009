import errno
import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from safeneuron import workspace
from safeneuron.errors import UserError
from safeneuron.runs import curves, store, tracking
from safeneuron.runs.info import write_info
from safeneuron.runs.processes import SILENT_SECONDS

PHASES = {"Waking": 1.0, "Training": 3.0}


@pytest.fixture
def info(home):
    return store.create_run("a name", "test", {"beta": 0.1, "set": "FULL"}, PHASES)


def test_a_new_run_is_queued(info):
    assert info.status == "queued"
    assert info.active
    assert info.parameters == {"beta": 0.1, "set": "FULL"}
    assert info.source == f"run:{info.id}"
    assert store.get_run(info.id) == info
    assert store.list_runs() == [info]


def test_the_stamp_moves_only_with_the_curves(info):
    assert curves.metrics_stamp(info.id) == 0
    curves.log_metrics(info.id, 1, {"loss": 0.7})
    first = curves.metrics_stamp(info.id)
    store.set_phase(info.id, "Training", 0.5)
    assert curves.metrics_stamp(info.id) == first > 0
    time.sleep(0.02)
    curves.log_metrics(info.id, 2, {"loss": 0.6})
    assert curves.metrics_stamp(info.id) > first


def test_later_runs_do_not_move_a_runs_number(info):
    assert store.run_number(info.id) == 0
    later = store.create_run("later", "test", {}, PHASES)
    assert (store.run_number(info.id), store.run_number(later.id[:8])) == (0, 1)


def test_phases_make_one_bar_that_never_falls(info):
    store.start(info.id)
    assert store.set_phase(info.id, "Waking", 0.5, "page 3").progress == pytest.approx(0.125)
    assert store.get_run(info.id).step == "page 3"
    assert store.set_phase(info.id, "Training", 0.0).progress == pytest.approx(0.25)
    assert store.set_phase(info.id, "Training", 0.5).progress == pytest.approx(0.625)
    assert store.set_phase(info.id, "Training", 0.1).progress == pytest.approx(0.625)
    ended = store.finish(info.id)
    assert (ended.status, ended.progress, ended.active) == ("finished", 1.0, False)
    assert [event.text for event in store.events(info.id)] == ["Queued", "Started", "Waking", "Training", "Finished"]


@pytest.mark.parametrize(
    ("end", "status"),
    [(store.finish, "FINISHED"), (store.cancelled, "KILLED"), (lambda run: store.fail(run, "Because."), "FAILED")],
)
def test_mlflow_has_a_copy_of_the_status(info, end, status):
    client = tracking._client()
    store.start(info.id)
    assert client.get_run(info.id).info.status == "RUNNING"
    end(info.id)
    assert client.get_run(info.id).info.status == status
    assert client.get_run(info.id).data.params == {"beta": "0.1", "set": "FULL"}


def test_curves(info):
    for step in (1, 2, 3):
        curves.log_metrics(info.id, step, {"loss": 1.0 / step, "rewards/margins": step})
    curve = curves.metric_history(info.id, "loss")
    assert curve.steps.tolist() == [1, 2, 3]
    np.testing.assert_allclose(curve.values, [1.0, 0.5, 1 / 3])
    assert curves.metric_history(info.id, "no such").steps.size == 0
    assert curves.metric_keys(info.id) == ["loss", "rewards/margins"]


def test_tables_and_texts(info):
    frame = pd.DataFrame({"condition": ["ORI", "FULL"], "rate": [0.9, 0.1]})
    store.put_table(info.id, "rates", frame)
    pd.testing.assert_frame_equal(store.get_table(info.id, "rates"), frame)
    store.put_json(info.id, "facts", {"a": [1, 2]})
    assert store.get_json(info.id, "facts") == {"a": [1, 2]}
    store.put_text(info.id, "note", "ä")
    assert store.has_artifact(info.id, "note.txt")
    with pytest.raises(UserError, match="has no other.json"):
        store.get_json(info.id, "other")


def test_mlflow_finds_the_artifacts_where_they_lie(info):
    store.put_json(info.id, "facts", {})
    assert [found.path for found in tracking._client().list_artifacts(info.id)] == ["facts.json"]


def test_newest_first_and_by_kind(info):
    other = store.create_run("other", "another", {}, PHASES)
    assert [found.id for found in store.list_runs()] == [other.id, info.id]
    assert [found.id for found in store.list_runs("test")] == [info.id]


def test_the_first_digits_of_an_id_are_enough(info):
    assert store.get_run(info.id[:8]) == info
    assert store.get_run(f"run:{info.id}") == info


@pytest.mark.parametrize("wanted", ["", "zzzz", "../models", "0" * 32])
def test_unknown_runs_are_said_plainly(home, wanted):
    with pytest.raises(UserError, match="There is no run"):
        store.get_run(wanted)


def test_a_copied_folder_opens_elsewhere(info, tmp_path, monkeypatch):
    store.put_json(info.id, "facts", {"a": 1})
    curves.log_metrics(info.id, 1, {"loss": 2.0})
    store.finish(info.id)
    copied = tmp_path / "elsewhere"
    workspace.workspace().rename(copied)
    monkeypatch.setenv("SAFENEURON_HOME", str(copied))
    assert store.get_run(info.id).status == "finished"
    assert store.get_json(info.id, "facts") == {"a": 1}
    assert curves.metric_history(info.id, "loss").values.tolist() == [2.0]
    later = store.create_run("later", "test", {}, PHASES)
    store.put_json(later.id, "facts", {"a": 2})
    assert store.get_json(later.id, "facts") == {"a": 2}


def test_a_store_of_the_persons_own_gets_everything(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'team.db'}")
    monkeypatch.chdir(tmp_path)
    info = store.create_run("a name", "test", {"beta": 0.1}, PHASES)
    store.put_json(info.id, "facts", {"a": 1})
    assert [found.path for found in tracking._client().list_artifacts(info.id)] == ["facts.json"]
    assert store.get_json(info.id, "facts") == {"a": 1}
    # The store in the workspace was not asked.
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking._client().get_experiment_by_name(tracking.EXPERIMENT) is None


def test_a_store_that_cannot_be_opened_is_said_plainly(home, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'team.db'}")
    with pytest.raises(UserError, match="check MLFLOW_TRACKING_URI"):
        store.create_run("a name", "test", {}, PHASES)


def test_a_full_disk_in_the_database_is_said_plainly(info, monkeypatch):
    def full(*arguments, **more):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(type(tracking._client()), "log_batch", full)
    with pytest.raises(UserError, match="is full"):
        curves.log_metrics(info.id, 1, {"loss": 1.0})
    with pytest.raises(UserError, match="is full"):
        store.create_run("another", "test", {}, PHASES)


def test_a_full_disk_in_the_folder_is_said_plainly_and_keeps_the_old(info):
    store.put_json(info.id, "facts", {"a": 1})

    def full(self, *arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    patch = pytest.MonkeyPatch()
    patch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="is full"):
        store.put_json(info.id, "facts", {"a": 2})
    with pytest.raises(UserError, match="is full"):
        store.set_phase(info.id, "Waking", 0.5)
    patch.undo()
    assert store.get_json(info.id, "facts") == {"a": 1}
    assert store.get_run(info.id).status == "queued"


def test_a_run_that_a_full_disk_killed_is_shown_as_failed_and_pages_go_on(info, monkeypatch):
    store.start(info.id)
    monkeypatch.setattr("safeneuron.runs.processes.STARTING_SECONDS", 0.0)
    with monkeypatch.context() as patch:

        def full(self, *arguments, **more):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_text", full)
        assert [(run.status, run.message) for run in store.list_runs()] == [("failed", store.GONE)]
    assert store.get_run(info.id).status == "failed"
    assert store.events(info.id)[-1].text.startswith("Failed: Its process ended")


def test_mlflow_out_of_reach_does_not_stop_a_run(info, monkeypatch):
    def unreachable(*arguments, **more):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(tracking, "set_status", unreachable)
    assert store.finish(info.id).status == "finished"


def test_reading_is_cheap_enough_to_poll(info):
    store.start(info.id)
    start = time.perf_counter()
    for _ in range(20):
        store.list_runs()
    assert (time.perf_counter() - start) / 20 < 0.05


def test_a_history_line_cut_short_is_passed_over(info):
    path = store.run_folder(info.id) / "events.jsonl"
    with path.open("a") as stream:
        stream.write(json.dumps({"time": 0})[:5])
    assert [event.text for event in store.events(info.id)] == ["Queued"]


@pytest.mark.parametrize("text", ['{"id": "x", "na', "", "[]", "{}", '{"phases": []}', "\udcff"])
def test_one_damaged_run_is_named_and_the_others_go_on(info, text):
    damaged = store.create_run("other", "another", {}, PHASES)
    path = store.run_folder(damaged.id) / "status.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    found = {run.id: run for run in store.list_runs("test")}
    assert found[info.id] == info
    assert [run.id for run in store.list_runs()] == [damaged.id, info.id], "still in order of their starts"
    assert found[damaged.id].created == pytest.approx(damaged.created)
    assert found[damaged.id].status == "failed" and f"{path} is damaged" in found[damaged.id].message
    with pytest.raises(UserError, match="status.json is damaged.*put it back from a copy, or delete"):
        store.get_run(damaged.id)
    assert store.start(info.id).status == "running"


@pytest.mark.parametrize("text", ['{"host": "x", "pi', "[]", "{}"])
def test_a_run_whose_process_is_unknown_lives_while_it_gives_signs(info, text):
    (store.run_folder(info.id) / "process.json").write_text(text)
    assert store.list_runs()[0].status == "queued"
    write_info(store.run_folder(info.id), replace(info, updated=time.time() - SILENT_SECONDS - 1))
    assert store.get_run(info.id).status == "failed"


def test_damaged_artifacts_and_events_are_said_plainly_or_passed_over(info):
    store.put_json(info.id, "facts", {"a": 1})
    store.put_table(info.id, "rates", pd.DataFrame({"rate": [0.9, 0.1]}))
    for name, get in (("facts.json", store.get_json), ("rates.parquet", store.get_table)):
        path = store.artifacts_folder(info.id) / name
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(UserError, match=f"{name} is damaged"):
            get(info.id, name.split(".")[0])
    with (store.run_folder(info.id) / "events.jsonl").open("ab") as stream:
        stream.write(b'[1]\n{"other": 1}\n"\xff"\n')
    assert [event.text for event in store.events(info.id)] == ["Queued"]
