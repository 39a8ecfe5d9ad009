"""A server that is down, or dies, loses nothing: what it missed is kept and sent when it answers again."""

import pytest

from safeneuron.errors import UserError
from safeneuron.runs import curves, sending, store, tracking
from safeneuron.runs.deleting import delete_run
from safeneuron.runs.renaming import rename
from safeneuron.training.summary import run_summary

PHASES = {"Working": 1.0}


@pytest.fixture
def team(home, empty_database, tmp_path, monkeypatch):
    """A team's store, and a switch that takes it down."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'team.db'}")
    (tmp_path / "team.db").write_bytes(empty_database.read_bytes())
    monkeypatch.setattr(sending, "RETRY_SECONDS", 0.0)
    client = tracking._client()

    def switch(down):
        def refuse(*arguments, **more):
            raise ConnectionError("Connection refused")

        with_or_without = (
            (lambda name: monkeypatch.setattr(client, name, refuse))
            if down
            else (lambda name: monkeypatch.delattr(client, name))
        )
        for name in ("log_batch", "log_artifact", "update_run", "set_terminated", "create_run", "delete_run"):
            with_or_without(name)

    return client, switch


def test_what_the_server_missed_is_sent_when_it_answers(team):
    client, switch = team
    run = store.create_run("a name", "test", {"beta": 0.1}, PHASES).id
    store.start(run)
    curves.log_metrics(run, 1, {"loss": 0.7})
    switch(True)
    curves.log_metrics(run, 2, {"loss": 0.6, "rewards/margins": float("nan")})
    curves.log_metrics(run, 2, {"loss": 0.5})
    store.put_json(run, "facts", {"a": 1})
    assert store.set_phase(run, "Working", 0.5).status == "running"
    assert sending.unsent(run) == "2 steps and 1 file"
    assert curves.metric_history(run, "loss").values.tolist() == [0.7, 0.5], "the truth is here"
    assert curves.metric_keys(run) == ["loss", "rewards/margins"]
    switch(False)
    curves.log_metrics(run, 3, {"loss": 0.4})
    assert sending.unsent(run) == ""
    # Two at one step are two points there too.
    there = sorted((point.step, point.value) for point in client.get_metric_history(run, "loss"))
    assert there == [(1, 0.7), (2, 0.5), (2, 0.6), (3, 0.4)]
    assert [found.path for found in client.list_artifacts(run)] == ["facts.json"]
    texts = [event.text for event in store.events(run)]
    told = [text for text in texts if "tracking server" in text]
    assert len(told) == 2, "said once, not at every step"
    assert "Connection refused" in told[0] and "answers again" in told[1]


def test_a_run_that_ends_while_the_server_is_down_says_what_is_missing(team):
    client, switch = team
    run = store.create_run("a name", "test", {}, PHASES).id
    switch(True)
    curves.log_metrics(run, 1, {"loss": 0.7})
    assert store.finish(run).status == "finished"
    assert run_summary(run)["unsent"] == "1 step and its status"
    with pytest.raises(UserError, match="did not take the run .Connection refused.*check MLFLOW_TRACKING_URI"):
        sending.send(run)
    switch(False)
    assert sending.send(run[:8]) == "1 step and its status"
    assert client.get_run(run).info.status == "FINISHED"
    assert sending.send(run) == "nothing: the server had everything"
    assert run_summary(run)["unsent"] == ""


def test_a_server_that_is_down_at_the_start_is_one_sentence(team):
    _, switch = team
    switch(True)
    with pytest.raises(UserError, match="did not take the run .Connection refused.*or unset that to keep runs in the"):
        store.create_run("a name", "test", {}, PHASES)
    assert store.list_runs() == []


def test_it_is_not_asked_again_at_every_step(team, monkeypatch):
    client, switch = team
    run = store.create_run("a name", "test", {}, PHASES).id
    asked = []
    monkeypatch.setattr(sending, "RETRY_SECONDS", 60.0)
    monkeypatch.setattr(client, "log_batch", lambda *arguments, **more: asked.append(1) or 1 / 0)
    for step in range(5):
        curves.log_metrics(run, step, {"loss": 0.7})
    assert len(asked) == 1


def test_names_and_deletions_reach_the_server(team):
    client, switch = team
    run = store.create_run("a name", "test", {}, PHASES).id
    rename(run, "another")
    assert client.get_run(run).info.run_name == "another"
    store.finish(run)
    switch(True)
    with pytest.raises(UserError, match="did not delete its record"):
        delete_run(run)
    assert store.get_run(run).name == "another"
    switch(False)
    delete_run(run)
    assert client.get_run(run).info.lifecycle_stage == "deleted" and store.list_runs() == []


def test_a_run_is_read_after_the_server_was_given_up(team, monkeypatch):
    run = store.create_run("a name", "test", {}, PHASES).id
    curves.log_metrics(run, 1, {"loss": 0.7})
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    curves.log_metrics(run, 2, {"loss": 0.6})
    store.finish(run)
    assert curves.metric_history(run, "loss").values.tolist() == [0.7, 0.6]
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI is not set"):
        sending.send(run)


def test_a_run_of_the_workspace_has_nothing_to_send(home):
    run = store.create_run("a name", "test", {}, PHASES).id
    assert sending.unsent(run) == ""
    with pytest.raises(UserError, match="without a tracking server"):
        sending.send(run)


def test_an_address_is_told_without_its_password():
    assert tracking._without_password("http://me:secret@host:5000") == "http://host:5000"
    assert tracking._without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
