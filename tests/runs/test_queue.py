"""One run at a time on a device, first come, first served, seen alike by every process on the workspace."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.device import Placement
from safeneuron.runs import launcher, queue, store
from safeneuron.runs.processes import PROCESS_FILE, record_process
from safeneuron.runs.resuming import resume
from safeneuron.runs.worker import carry_out

JOBS = "tests.runs.jobs"


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.02)


@pytest.fixture
def make_run(home, monkeypatch, request):
    """Return a function that makes a queued run of a name; at the end all are stopped."""
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    made = []

    def make(name):
        made.append(store.create_run(name, "test", {}, {"Working": 1.0}).id)
        return made[-1]

    yield make
    for run_id in made:
        store.request_cancel(run_id)
    for run_id in made:
        if (store.run_folder(run_id) / launcher.JOB_FILE).exists():
            launcher.wait(run_id, interval=0.05)


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def waits_for(run_id, name):
    return lambda: store.get_run(run_id).step.startswith(f"Waiting for {name} (")


def works(run_id):
    return lambda: store.get_run(run_id).phase == "Working"


OTHER_DASHBOARD = (
    "from safeneuron.runs import store; import json; print(json.dumps([vars(i) for i in store.list_runs()]))"
)


def test_runs_wait_for_each_other_in_order_and_can_be_cancelled_killed_and_seen(make_run):
    """Processes of their own, as a page starts them; the whole life of a queue, since each start takes seconds."""
    first, second, third = (make_run(name) for name in ("first", "second", "third"))
    for run_id in (first, second, third):
        launcher.launch(run_id, f"{JOBS}:endless")
    until(works(first))
    until(waits_for(second, "first"))
    until(waits_for(third, "second"))
    assert store.get_run(second).status == "queued"
    assert f"Waiting for first ({first[:8]})" in [event.text for event in store.events(second)]

    # A second dashboard, in a process of its own, on the same workspace.
    output = subprocess.run([sys.executable, "-c", OTHER_DASHBOARD], capture_output=True, check=True, text=True).stdout
    seen = {info["name"]: (info["status"], info["step"]) for info in json.loads(output)}
    assert seen == {
        "first": ("running", ""),
        "second": ("queued", f"Waiting for first ({first[:8]})"),
        "third": ("queued", f"Waiting for second ({second[:8]})"),
    }

    launcher.cancel(second)
    assert launcher.wait(second, interval=0.05).status == "cancelled"
    assert store.get_run(second).started is None
    until(waits_for(third, "first"))

    # A killed holder lets go of the device.
    os.kill(json.loads((store.run_folder(first) / PROCESS_FILE).read_text())["pid"], signal.SIGKILL)
    until(works(third))
    assert store.get_run(first).status == "failed"
    assert store.get_run(third).step == ""

    # What is resumed goes to the end of the queue.
    resume(first)
    until(waits_for(first, "third"))
    launcher.cancel(third)
    until(works(first))
    assert queue.runs_ahead(first) == []


def a_waiting_run(name, devices=("cpu",)):
    """Make a run with a ticket whose process is this one."""
    run_id = store.create_run(name, "test", {}, {"Working": 1.0}).id
    record_process(store.run_folder(run_id))
    queue.draw_ticket(run_id, devices)
    return run_id


def test_a_held_lock_keeps_others_out_until_it_is_let_go(home):
    first, second = a_waiting_run("first"), a_waiting_run("second")
    store.request_cancel(second)
    with queue.turn(first), pytest.raises(Cancelled), queue.turn(second):
        raise AssertionError("both at once")
    assert list(queue._tickets()) == []


def test_a_lock_that_a_leaving_process_still_holds_is_waited_for(home):
    """Its run is over and has no ticket any more, but its memory is not yet free."""
    run_id = a_waiting_run("next")
    queue._folder().mkdir(parents=True, exist_ok=True)
    lock = str(queue._folder() / "cpu.lock")
    code = f"import filelock, time\nwith filelock.FileLock({lock!r}): print('held', flush=True); time.sleep(60)"
    leaving = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert leaving.stdout.readline() == b"held\n"
        store.request_cancel(run_id)
        with pytest.raises(Cancelled), queue.turn(run_id):
            raise AssertionError("both at once")
        leaving.kill()
        leaving.wait()
        queue.draw_ticket(run_id, ("cpu",))
        with queue.turn(run_id):
            pass
    finally:
        leaving.kill()
        leaving.wait()


def test_other_devices_do_not_wait(home):
    first = a_waiting_run("first", ("gpu-0", "gpu-1"))
    second, both = a_waiting_run("second", ("gpu-2",)), a_waiting_run("both", ("gpu-1", "gpu-2"))
    with queue.turn(first), queue.turn(second):
        assert [info.name for info in queue.runs_ahead(both)] == ["first", "second"]


def test_tickets_of_runs_that_are_over_or_gone_hold_nobody_up(home):
    over, run_id = a_waiting_run("over"), a_waiting_run("next")
    store.fail(over, "died")
    queue.draw_ticket("0" * 32, ("cpu",))
    last = a_waiting_run("last")
    assert [info.name for info in queue.runs_ahead(last)] == ["next"]
    with queue.turn(run_id):
        assert len(list(queue._tickets())) == 2


def test_a_run_leaves_the_queue_however_it_ends(home):
    for job in ("short", "mistaken", "defective", "missing"):
        run_id = a_waiting_run(job)
        before = signal.getsignal(signal.SIGTERM)
        carry_out(run_id, f"{JOBS}:{job}")
        signal.signal(signal.SIGTERM, before)
        assert list(queue._tickets()) == []


def test_a_run_that_cannot_be_launched_does_not_stay_in_the_queue(home, monkeypatch):
    run_id = store.create_run("a name", "test", {}, {"Working": 1.0}).id
    monkeypatch.setattr(launcher.sys, "executable", "/bin/false")
    with pytest.raises(UserError, match="could not be started"):
        launcher.launch(run_id, f"{JOBS}:short")
    assert list(queue._tickets()) == []


@pytest.mark.parametrize(
    ("device", "shown", "processes", "found"),
    [
        ("cpu", None, 2, ("cpu",)),
        ("mps", None, None, ("mps",)),
        ("auto", None, None, ("gpu-0", "gpu-1", "gpu-2")),
        ("auto", None, 1, ("gpu-0",)),
        ("auto", "2,0,1", 2, ("gpu-2", "gpu-0")),
        ("cuda:1", None, None, ("gpu-1",)),
        ("cuda:1", None, 2, ("gpu-1", "gpu-2")),
    ],
)
def test_devices_have_the_names_that_the_driver_gives_them(monkeypatch, device, shown, processes, found):
    monkeypatch.setattr(queue, "placement", lambda: Placement(device, "float32"))
    monkeypatch.setattr(queue, "visible_gpus", lambda: [None] * 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown) if shown else monkeypatch.delenv("CUDA_VISIBLE_DEVICES", False)
    assert queue.devices_here(processes) == found


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(queue, "placement", lambda: Placement("auto", "float32"))
    monkeypatch.setattr(queue, "visible_gpus", lambda: [None] * 3)
    with pytest.raises(UserError, match="4 processes need a GPU each, and there are 3"):
        queue.devices_here(4)
