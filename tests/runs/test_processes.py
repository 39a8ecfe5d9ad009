import json
import subprocess
import sys
import time

import psutil
import pytest

from safeneuron.runs import processes
from safeneuron.runs.processes import is_alive, record_process


def test_this_process_is_alive(tmp_path):
    record_process(tmp_path)
    assert is_alive(tmp_path, last_sign=0.0)


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_killed_process_is_not(tmp_path, sleeper):
    record_process(tmp_path, sleeper.pid)
    assert is_alive(tmp_path, last_sign=0.0)
    sleeper.kill()
    deadline = time.monotonic() + 10
    # Not waited for yet, so it is a zombie.
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(tmp_path, last_sign=time.time())
    sleeper.wait()
    assert not is_alive(tmp_path, last_sign=time.time())


def test_a_number_given_out_again_is_another_process(tmp_path):
    record_process(tmp_path)
    path = tmp_path / processes.PROCESS_FILE
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"started": known["started"] - 1000}))
    assert not is_alive(tmp_path, last_sign=time.time())


def test_on_another_machine_the_last_sign_of_life_counts(tmp_path):
    record_process(tmp_path)
    path = tmp_path / processes.PROCESS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "somewhere else"}))
    assert is_alive(tmp_path, last_sign=time.time())
    assert not is_alive(tmp_path, last_sign=time.time() - processes.SILENT_SECONDS - 1)


def test_a_run_may_take_a_while_to_start(tmp_path):
    assert is_alive(tmp_path, last_sign=time.time())
    assert not is_alive(tmp_path, last_sign=time.time() - processes.STARTING_SECONDS - 1)


def test_a_process_ends_with_the_one_that_it_serves(sleeper):
    code = f"from safeneuron.runs.processes import end_with; print('on', flush=True); end_with({sleeper.pid})"
    serving = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert serving.stdout.readline() == b"on\n"
    assert serving.poll() is None
    sleeper.kill()
    assert serving.wait(timeout=60) == 1
