import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from safeneuron.errors import UserError
from safeneuron.runs import launcher, store
from safeneuron.runs.processes import PROCESS_FILE

PHASES = {"Working": 1.0}
JOBS = "tests.runs.jobs"


@pytest.fixture
def run_id(home, monkeypatch, request):
    # The started processes import the jobs from the tests.
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    run_id = store.create_run("a name", "test", {}, PHASES).id
    yield run_id
    store.request_cancel(run_id)
    launcher.wait(run_id, interval=0.05)


def _until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _running(run_id):
    return lambda: store.get_run(run_id).phase == "Working"


def _pid(run_id):
    return json.loads((store.run_folder(run_id) / PROCESS_FILE).read_text())["pid"]


def test_a_job_runs_in_a_process_of_its_own_with_its_share_of_the_cores(run_id, home):
    launcher.launch(run_id, f"{JOBS}:short", threads=3)
    seen = []
    info = launcher.wait(run_id, on_change=lambda info: seen.append(info.status), interval=0.05)
    assert info.status == "finished"
    assert seen[-1] == "finished"
    environment = store.get_json(run_id, "environment")
    assert (environment["OMP_NUM_THREADS"], environment["SAFENEURON_THREADS"]) == ("3", "3")
    assert environment["home"] == str(home.resolve() / "runs")
    assert environment["session"] != os.getsid(0)


def test_cancel_is_orderly(run_id):
    launcher.launch(run_id, f"{JOBS}:endless")
    _until(_running(run_id))
    launcher.cancel(run_id)
    info = launcher.wait(run_id, interval=0.05)
    assert info.status == "cancelled"
    assert launcher.cancel(run_id).status == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_is_recognised_and_keeps_its_history(run_id, home, number):
    launcher.launch(run_id, f"{JOBS}:endless")
    _until(_running(run_id))
    half_written = home / "models" / f".{run_id}.12345678.part"
    half_written.mkdir(parents=True)
    os.kill(_pid(run_id), number)
    info = launcher.wait(run_id, interval=0.05)
    assert info.status == "failed"
    assert "start it again" in info.message
    assert [event.text for event in store.events(run_id)][:3] == ["Queued", "Started", "Working"]
    assert number != signal.SIGKILL or not half_written.exists()


def test_a_run_outlives_the_server_that_started_it(run_id):
    """Ctrl-C in the server's terminal reaches its whole process group, then the server exits; the run goes on."""
    code = f"""
        import time
        from safeneuron.runs import launcher
        launcher.launch({run_id!r}, "{JOBS}:endless")
        print("launched", flush=True)
        time.sleep(60)
    """
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert server.stdout.readline() == b"launched\n"
    _until(_running(run_id))
    os.killpg(server.pid, signal.SIGINT)
    # Reading to the end shows that the run does not hold the server's standard output either.
    assert server.stdout.read() == b""
    server.wait(timeout=10)
    last = store.get_run(run_id).updated
    _until(lambda: store.get_run(run_id).updated > last)
    assert store.get_run(run_id).status == "running"


def test_a_process_that_cannot_start_is_said_plainly(run_id, monkeypatch):
    monkeypatch.setattr(launcher.sys, "executable", "/bin/false")
    with pytest.raises(UserError, match="could not be started"):
        launcher.launch(run_id, f"{JOBS}:short")
    store.fail(run_id, "not started")


def test_waiting_does_not_end_a_run(run_id):
    launcher.launch(run_id, f"{JOBS}:endless")

    def interrupt(info):
        if info.phase == "Working":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launcher.wait(run_id, on_change=interrupt, interval=0.05)
    assert store.get_run(run_id).active
