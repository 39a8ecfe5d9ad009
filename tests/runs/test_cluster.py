"""Runs on a Slurm cluster: small scripts play sbatch, srun, squeue and scancel, and really carry the job out."""

import json
import os
import subprocess
import time
from dataclasses import replace

import psutil
import pytest

from safeneuron.errors import UserError
from safeneuron.runs import cluster, launcher, store
from safeneuron.runs.cluster import Launch, ask, has_slurm, withdraw
from safeneuron.runs.processes import PROCESS_FILE, is_alive, record_job
from safeneuron.runs.resuming import resume
from tests.runs.slurm import install

JOBS = "tests.runs.jobs"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of a cluster of one node, which is this machine; a file ``full`` in it lets jobs wait."""
    folder, programs = tmp_path / "slurm", tmp_path / "bin"
    folder.mkdir()
    install(programs, monkeypatch)
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setattr(cluster, "ASK_SECONDS", 1)
    # On a machine under load the scripts take a while to begin.
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 300)
    cluster._last_answer.cache_clear()
    return folder


def make_run(name="a name"):
    return store.create_run(name, "test", {}, {"Working": 1.0}).id


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_job_is_carried_out_on_a_node(home, slurm, monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    run_id = make_run()
    launcher.launch(run_id, f"{JOBS}:short", how=Launch(1, cluster="slurm", partition="debug", gpus=2, hours=1.5))
    info = launcher.wait(run_id, interval=0.05)
    assert (info.status, info.message) == ("finished", "")
    script = (slurm / "1.sh").read_text()
    for line in ("--partition=debug", "--gpus-per-node=2", "--time=90", "--nodes=1", "--ntasks-per-node=1"):
        assert f"#SBATCH {line}\n" in script
    environment = store.get_json(run_id, "environment")
    assert environment["home"] == str(home.resolve() / "runs"), "though the node has nothing of the environment"
    assert environment["OMP_NUM_THREADS"] == environment["SAFENEURON_THREADS"] == "3", "what Slurm gave"
    assert json.loads((store.run_folder(run_id) / PROCESS_FILE).read_text()) == {"slurm": "1"}
    assert not (home / "queue").exists(), "Slurm has a queue of its own"


def test_a_killed_job_is_found_and_resumed_in_the_same_way(home, slurm, monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    run_id = make_run()
    how = Launch(1, cluster="slurm", partition="debug")
    launcher.launch(run_id, f"{JOBS}:endless", how=how)
    until(lambda: store.get_run(run_id).phase == "Working")
    # As the out-of-memory killer on the node does.
    job = psutil.Process(int((slurm / "1.pid").read_text()))
    for process in (*job.children(recursive=True), job):
        process.kill()
    assert "ended without a word" in launcher.wait(run_id, interval=0.05).message
    (slurm / "full").touch()
    resume(run_id)
    assert launcher.launched_how(run_id) == how
    assert "#SBATCH --partition=debug" in (slurm / "2.sh").read_text()
    assert launcher.cancel(run_id).active
    assert store.get_run(run_id).status == "cancelled"


def test_a_job_that_waits_for_a_node_is_seen_and_taken_back(home, slurm):
    (slurm / "full").touch()
    run_id = make_run()
    launcher.launch(run_id, f"{JOBS}:short", how=Launch(cluster="slurm"))
    info = store.get_run(run_id)
    assert (info.status, info.step) == ("queued", "Waiting for Slurm: job 1, Resources")
    (slurm / "down").touch()
    cluster._last_answer.cache_clear()
    assert store.get_run(run_id).step == "Waiting for Slurm", "nobody knows for what"
    (slurm / "down").unlink()
    cluster._last_answer.cache_clear()
    # However long it waits, and from whatever machine one looks.
    store.write_info(store.run_folder(run_id), replace(info, updated=time.time() - 10**6))
    assert store.get_run(run_id).status == "queued"
    launcher.cancel(run_id)
    assert store.get_run(run_id).status == "cancelled"
    assert not (slurm / "1.sh").exists()


def test_a_job_that_works_is_not_taken_back_but_asked_to_stop(slurm):
    (slurm / "7.sh").touch()
    (slurm / "7.pid").write_text(str(os.getpid()))
    assert not withdraw("7")
    assert (slurm / "7.sh").exists()


def test_slurm_is_asked_for_nodes_of_which_the_first_has_the_run(home, slurm, monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    run_id = make_run()
    launcher.launch(run_id, f"{JOBS}:short", threads=2, how=Launch(4, "fsdp2", "slurm", gpus=2, nodes=2))
    assert launcher.wait(run_id, interval=0.05).status == "finished"
    script = (slurm / "1.sh").read_text()
    for line in ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=2", "--cpus-per-task=2"):
        assert f"#SBATCH {line}\n" in script
    (called,) = [line for line in script.splitlines() if line.startswith("srun ")]
    assert "--nodes=1 --ntasks=1 --cpus-per-task=2" in called, "and srun takes no cores over from sbatch"


def test_why_slurm_takes_no_job_is_said(home, slurm, monkeypatch):
    (slurm.parent / "bin" / "sbatch").write_text(
        "#!/bin/sh\n"
        "echo 'sbatch: error: invalid partition specified: nosuch' >&2\n"
        "echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2\n"
        "exit 1\n"
    )
    with pytest.raises(UserError) as said:
        launcher.launch(make_run(), f"{JOBS}:short", how=Launch(1, cluster="slurm", partition="nosuch"))
    assert str(said.value) == (
        "Slurm does not take the run: invalid partition specified: nosuch; Batch job submission failed: Invalid "
        "partition name specified. `sinfo` lists its partitions and nodes."
    )


def test_what_slurm_says_of_a_job(slurm, tmp_path):
    (slurm / "1.sh").touch()
    assert ask("1") == "Resources", "it waits"
    (slurm / "1.pid").write_text(str(os.getpid()))
    assert ask("1") == "", "it works"
    ended = subprocess.Popen(["true"])
    ended.wait()
    (slurm / "1.pid").write_text(str(ended.pid))
    assert ask("1") is None and ask("2") is None, "over, and long over"
    record_job(tmp_path, "2")
    assert not is_alive(tmp_path, last_sign=time.time())
    (slurm / "down").touch()
    assert ask("1") == "", "nobody knows"


def test_slurm_is_not_asked_at_every_look(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ASK_SECONDS", 10**6)
    (slurm / "1.sh").touch()
    record_job(tmp_path, "1")
    for _ in range(5):
        assert is_alive(tmp_path, last_sign=0.0)
    assert (slurm / "asked").read_text() == "1\n"


def test_without_slurm_its_runs_are_left_alone_and_none_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_slurm()
    record_job(tmp_path, "1")
    cluster._last_answer.cache_clear()
    assert is_alive(tmp_path, last_sign=0.0)
    with pytest.raises(UserError, match="There is no Slurm here"):
        Launch(cluster="slurm").require_here()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sharding": "fsdp1"}, "one of ddp, fsdp2"),
        ({"cluster": "pbs"}, "one of local, slurm"),
        ({"processes": 0}, "at least one process"),
        ({"hours": 0.0}, "some time"),
        ({"hours": float("nan")}, "some time"),
        ({"hours": 1e9}, "less than 10,000 hours"),
        ({"partition": "main"}, "add --cluster slurm"),
        ({"gpus": 2}, "add --cluster slurm"),
        ({"sharding": "fsdp2"}, "raise --processes"),
        ({"cluster": "slurm", "processes": 3, "gpus": 2}, "raise --gpus"),
        ({"cluster": "slurm", "processes": 6, "gpus": 2, "nodes": 2}, "3 processes of a node need a GPU each"),
        ({"processes": 2, "nodes": 2}, "add --cluster slurm"),
        ({"cluster": "slurm", "processes": 3, "nodes": 2}, "divided by --nodes"),
    ],
)
def test_what_cannot_be_launched_is_said_plainly(fields, message):
    with pytest.raises(UserError, match=message):
        Launch(**fields)


def test_a_batch_is_shared_equally():
    assert Launch(4).share(8) == 2 and Launch().share(5) == 5
    with pytest.raises(UserError, match="6 pairs cannot be shared equally between 4 processes"):
        Launch(4).share(6)
