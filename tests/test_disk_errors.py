"""A full disk, or one that may not be written, is a sentence that says what to do, and nothing is lost."""

import errno
import json
from pathlib import Path

import pytest
from safetensors import SafetensorError

from safeneuron.errors import UserError
from safeneuron.workspace import clear_disk_errors, replacing, workspace, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_sentence_that_says_what_to_do(tmp_path, code):
    target = tmp_path / "target"
    target.write_text("old")
    sentence = f"disk that holds {tmp_path} is full; free some space, or set SAFENEURON_HOME"
    with pytest.raises(UserError, match=sentence), replacing(target) as staging:
        staging.write_text("half")
        raise OSError(code, "no space", str(staging))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path, code):
    with pytest.raises(UserError, match=f"{tmp_path} may not be written; set"), clear_disk_errors(tmp_path):
        raise OSError(code, "no")


def test_what_may_not_be_deleted_either_does_not_hide_the_sentence(tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match=f"{tmp_path} may not be written; set"):
        write_json(tmp_path / "facts.json", {"new": True})


@pytest.mark.parametrize("said", ["attempt to write a readonly database", "unable to open database file"])
def test_a_run_store_that_may_not_be_written_is_a_sentence(home, monkeypatch, said):
    from safeneuron.runs import store, tracking

    def refuse(*arguments, **options):
        raise RuntimeError(f"(sqlite3.OperationalError) {said}")

    monkeypatch.setattr(tracking, "_experiment", refuse)
    with pytest.raises(UserError, match="runs may not be written; set SAFENEURON_HOME"):
        store.create_run("a run", "test", {}, {"Working": 1.0})


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), clear_disk_errors(tmp_path):
        Path(tmp_path / "nowhere").read_text()


def test_a_full_disk_while_json_is_written(tmp_path, monkeypatch):
    path = tmp_path / "facts.json"
    write_json(path, {"old": True})

    def full(self, *arguments, **options):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="is full"):
        write_json(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert names(tmp_path) == ["facts.json"]


def test_a_full_disk_while_a_model_is_saved(home, llama, monkeypatch):
    from safeneuron.models.folder import save_folder

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(type(llama.model), "save_pretrained", full)
    with pytest.raises(UserError, match="is full"):
        save_folder(llama.model, llama.tokenizer, home / "models" / "x", {"title": "x", "origin": "x"})
    assert names(home / "models") == []


def test_a_real_full_disk_is_one_sentence(tmp_path):
    """Linux has a device that is always full."""
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(UserError, match="is full"), replacing(tmp_path / "target") as staging:
        staging.symlink_to(device)
        staging.write_text("anything")
    assert names(tmp_path) == []


def test_a_full_disk_is_one_sentence_when_safetensors_writes(tmp_path):
    """Safetensors reports the system's error as a kind of its own, with this text (seen on a full tmpfs)."""
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(UserError, match="is full"), replacing(tmp_path / "target"):
        raise SafetensorError(said)
    with pytest.raises(SafetensorError, match="header"), replacing(tmp_path / "target"):
        raise SafetensorError("invalid header")


def test_a_workspace_that_cannot_be_made_is_a_sentence(tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setenv("SAFENEURON_HOME", str(tmp_path / "new"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="may not be written"):
        workspace()


def test_a_workspace_that_is_a_file_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("x")
    monkeypatch.setenv("SAFENEURON_HOME", str(path))
    with pytest.raises(UserError, match="SAFENEURON_HOME"):
        workspace()
