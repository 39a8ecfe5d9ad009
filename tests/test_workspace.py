"""Writing into the workspace: whole or not at all."""

import contextlib
import os
import subprocess
import sys
import time

import psutil
import pytest

from safeneuron import workspace as module
from safeneuron.workspace import (
    file_sha256,
    fingerprint,
    remove_abandoned,
    replacing,
    scratch_folder,
    workspace,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_workspace_is_where_the_person_says(home, tmp_path, monkeypatch):
    assert workspace() == home and home.is_dir()
    monkeypatch.delenv("SAFENEURON_HOME")
    monkeypatch.setattr(module.platformdirs, "user_data_dir", lambda name: str(tmp_path / "data" / name))
    assert workspace() == tmp_path / "data" / "safeneuron"


def test_a_file_takes_its_place_when_the_block_succeeds(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with replacing(target) as staging:
        assert not target.exists()
        staging.write_text("one")
    assert target.read_text() == "one"
    with replacing(target) as staging:
        staging.write_text("two")
        assert target.read_text() == "one"
    assert target.read_text() == "two"
    assert names(target.parent) == ["file.txt"]


def test_a_folder_takes_its_place_whole(tmp_path):
    target = tmp_path / "folder"
    for content in ("one", "two"):
        with replacing(target) as staging:
            staging.mkdir()
            (staging / content).write_text(content)
    assert names(target) == ["two"]
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path, kind, failure):
    target = tmp_path / "target"
    write = {"file": lambda path, text: path.write_text(text), "folder": write_folder}[kind]
    with replacing(target) as staging:
        write(staging, "old")
    with pytest.raises(failure), replacing(target) as staging:
        write(staging, "new")
        raise failure
    content = target if kind == "file" else target / "content"
    assert content.read_text() == "old"
    assert names(tmp_path) == ["target"]


def write_folder(path, text):
    path.mkdir()
    (path / "content").write_text(text)


def test_a_failure_before_anything_was_written_is_its_own_error(tmp_path):
    with pytest.raises(ValueError, match="mine"), replacing(tmp_path / "target"):
        raise ValueError("mine")
    assert names(tmp_path) == []


def writer(folder, end):
    """Return a process that has half-written a folder; ``end`` is what it does then."""
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom safeneuron.workspace import replacing\n"
        "with replacing(Path(sys.argv[1]) / 'model') as staging:\n"
        f"    staging.mkdir(); (staging / 'weights').write_text('half'); print(flush=True); {end}"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    living = writer(tmp_path, "time.sleep(60)")
    killed = writer(tmp_path, "time.sleep(60)")
    try:
        assert len(names(tmp_path)) == 2
        killed.kill()  # and not waited for: a zombie writes nothing either
        while psutil.Process(killed.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        remove_abandoned(tmp_path)
        (left,) = names(tmp_path)
        assert f".{living.pid}@" in left
        killed.wait()
        remove_abandoned(tmp_path)
        assert names(tmp_path) == [left]
    finally:
        for process in (living, killed):
            process.kill()
            process.wait()
    remove_abandoned(tmp_path)
    assert names(tmp_path) == []


def test_a_number_given_out_again_owns_nothing(tmp_path):
    """This process has the number, but the file was last touched before it began."""
    part = module.part_of(tmp_path / "facts.json")
    part.write_text("{")
    remove_abandoned(tmp_path)
    assert part.exists()
    os.utime(part, (1.0, 1.0))
    remove_abandoned(tmp_path)
    assert not part.exists()


@pytest.mark.parametrize("name", [".model.0123abcd.1@another-machine.part", ".model.0123abcd.part"])
def test_what_nothing_is_known_of_stays_for_a_day(tmp_path, name):
    part = tmp_path / name
    part.mkdir()
    (part / "weights").write_text("half")
    remove_abandoned(tmp_path)
    assert part.exists()
    day_before = time.time() - module.ABANDONED_SECONDS - 60
    os.utime(part / "weights", (day_before, day_before))
    remove_abandoned(tmp_path)
    assert part.exists(), "the folder itself was touched just now"
    os.utime(part, (day_before, day_before))
    remove_abandoned(tmp_path)
    assert names(tmp_path) == []


def test_other_files_are_left_alone(tmp_path):
    for name in ("model.part", ".hidden", "model", ".part"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1.0, 1.0))
    remove_abandoned(tmp_path)
    assert names(tmp_path) == [".hidden", ".part", "model", "model.part"]
    remove_abandoned(tmp_path / "nowhere")


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt])
def test_a_scratch_folder_goes_with_its_block(tmp_path, failure):
    with contextlib.suppress(KeyboardInterrupt), scratch_folder(tmp_path / "new" / "wheel") as folder:
        (folder / "half").write_text("x")
        assert folder.parent == tmp_path / "new"
        if failure:
            raise failure
    assert names(tmp_path / "new") == []


def test_fingerprints_name_values():
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert len({fingerprint("ab"), fingerprint("a", "b"), fingerprint(["a", "b"]), fingerprint("b", "a")}) == 4
    assert len(fingerprint("a")) == 16 and int(fingerprint("a"), 16) >= 0


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    import hashlib

    path = tmp_path / "file"
    path.write_bytes(b"some bytes" * 100_000)
    assert file_sha256(path) == hashlib.sha256(b"some bytes" * 100_000).hexdigest()
