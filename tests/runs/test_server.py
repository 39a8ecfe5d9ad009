"""MLflow's own server, as a team runs it and as ``mlflow ui`` starts it, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from safeneuron.errors import UserError
from safeneuron.runs import curves, sending, store
from safeneuron.runs.deleting import delete_run

PHASES = {"Working": 1.0}
SECONDS = 300
NO_PROXY = build_opener(ProxyHandler({}))


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def serving(database, files, port):
    """Start the server, wait until it answers, and kill it with its workers afterwards."""
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(files)]
    log = files.parent / "server.log"
    with log.open("ab") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            try:
                NO_PROXY.open(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except (URLError, OSError):
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(server, path, **body):
    request = Request(f"{server}/api/2.0/mlflow/{path}", headers={"Content-Type": "application/json"})
    data = json.dumps(body).encode() if body else None
    return json.load(NO_PROXY.open(request, data, timeout=60))


@pytest.fixture
def database(empty_database, tmp_path):
    path = tmp_path / "team.db"
    path.write_bytes(empty_database.read_bytes())
    return path


def test_a_run_goes_to_a_teams_server_which_dies_and_comes_back(home, database, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(sending, "RETRY_SECONDS", 0.0)
    files, port = tmp_path / "files", free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with pytest.raises(UserError, match="did not take the run .*start it or check MLFLOW_TRACKING_URI"):
        store.create_run("a name", "test", {"beta": 0.1}, PHASES)
    assert store.list_runs() == []
    with serving(database, files, port) as server:
        run = store.create_run("a name", "test", {"beta": 0.1}, PHASES).id
        store.start(run)
        curves.log_metrics(run, 1, {"loss": 0.7, "rewards/margins": 0.1})
        store.put_json(run, "facts", {"a": 1})
        found = ask(server, f"runs/get?run_id={run}")["run"]
        assert (found["info"]["status"], found["info"]["run_name"]) == ("RUNNING", "a name")
        assert found["data"]["params"] == [{"key": "beta", "value": "0.1"}]
        assert {metric["key"]: metric["value"] for metric in found["data"]["metrics"]} == {
            "loss": 0.7,
            "rewards/margins": 0.1,
        }
        assert [file["path"] for file in ask(server, f"artifacts/list?run_id={run}")["files"]] == ["facts.json"]
    # Dead with SIGKILL, in the middle of the run.
    curves.log_metrics(run, 2, {"loss": 0.6})
    store.put_json(run, "more", {"b": 2})
    store.finish(run)
    assert store.get_run(run).status == "finished"
    assert curves.metric_history(run, "loss").values.tolist() == [0.7, 0.6]
    assert sending.unsent(run) == "1 step and 1 file and its status"
    with serving(database, files, port) as server:
        sending.send(run)
        found = ask(server, f"runs/get?run_id={run}")["run"]
        assert found["info"]["status"] == "FINISHED"
        history = ask(server, f"metrics/get-history?run_id={run}&metric_key=loss")["metrics"]
        assert [(point["step"], point["value"]) for point in history] == [(1, 0.7), (2, 0.6)]
        assert len(ask(server, f"artifacts/list?run_id={run}")["files"]) == 2
        delete_run(run)
        assert ask(server, f"runs/get?run_id={run}")["run"]["info"]["lifecycle_stage"] == "deleted"


def test_mlflow_opens_the_store_of_the_workspace_as_it_is(home, tmp_path):
    run = store.create_run("a name", "test", {"beta": 0.1}, PHASES).id
    curves.log_metrics(run, 1, {"loss": 0.7})
    store.put_json(run, "facts", {"a": 1})
    store.finish(run)
    with serving(home / "runs" / "mlflow.db", tmp_path / "files", free_port()) as server:
        experiments = ask(server, "experiments/search", max_results=10)["experiments"]
        (ours,) = [found["experiment_id"] for found in experiments if found["name"] == "safeneuron"]
        (found,) = ask(server, "runs/search", experiment_ids=[ours])["runs"]
        assert (found["info"]["run_id"], found["info"]["status"]) == (run, "FINISHED")
        assert found["data"]["metrics"][0]["value"] == 0.7
        assert [file["path"] for file in ask(server, f"artifacts/list?run_id={run}")["files"]] == ["facts.json"]
