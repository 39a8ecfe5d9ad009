"""How long a run still takes, and what it said last."""

import time
from dataclasses import replace

import pytest

from safeneuron.runs import store
from safeneuron.standing import log_tail, remaining


@pytest.fixture
def run(home):
    return store.create_run("a run", "masked-dpo", {}, {"Training": 1.0})


@pytest.mark.parametrize(
    ("progress", "minutes", "said"),
    [
        (0.5, 10, "about 10 min left"),
        (0.9, 9, "about 60 s left"),
        (0.1, 60, "about 9.0 h left"),
        (0.01, 5, ""),
    ],
)
def test_the_rest_is_reckoned_from_the_pace_so_far(run, progress, minutes, said):
    working = replace(run, status="running", progress=progress, started=time.time() - 60 * minutes)
    assert remaining(working) == said
    assert remaining(replace(working, status="finished")) == remaining(replace(working, status="queued")) == ""


def test_the_log_ends_with_the_last_lines_of_its_process(run):
    assert log_tail(run.id) == ""
    folder = store.run_folder(run.id) / "log"
    folder.mkdir()
    (folder / "launcher.log").write_text("")
    (folder / "1_submitted.pkl").write_bytes(b"\x80\x04")
    (folder / "1_0_log.out").write_text("".join(f"line {number}\n\n" for number in range(100)))
    (folder / "1_0_log.err").write_bytes(b"Traceback\nMemoryError \xff\n")
    tail = log_tail(run.id, 3).splitlines()
    assert len(tail) == 3
    assert log_tail(run.id, 200).splitlines().count("line 99") == 1
    assert "MemoryError \ufffd" in log_tail(run.id, 200) and "\x80" not in log_tail(run.id, 200)
