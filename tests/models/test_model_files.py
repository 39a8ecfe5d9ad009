"""A file that was cut anywhere, or whose header was changed anywhere, is refused before it is read."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from safeneuron.errors import UserError
from safeneuron.models import hashes
from safeneuron.models.hashes import kept_sha256
from safeneuron.models.model_files import check_weights, folder_fingerprint, tensor_shapes, weight_files
from safeneuron.workspace import file_sha256

SHAPES = {"embed_tokens.weight": (7, 4), "layer.weight": (4, 4)}


@pytest.fixture
def weights(tmp_path, home):
    path = tmp_path / "model" / "model.safetensors"
    path.parent.mkdir()
    save_file({name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}, path)
    return path


def header_bytes(path):
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def test_a_whole_file_says_its_shapes(weights):
    assert tensor_shapes(weights) == SHAPES
    assert check_weights(weights.parent) == [weights]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_refused(weights, share):
    data = weights.read_bytes()
    weights.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="is damaged or cut short.*again"):
        check_weights(weights.parent)


def test_a_file_that_grew_is_refused(weights):
    weights.write_bytes(weights.read_bytes() + b"\x00" * 16)
    with pytest.raises(UserError, match="is damaged or cut short"):
        check_weights(weights.parent)


def test_no_flipped_bit_in_the_header_goes_unseen(weights):
    """It is refused, or it changed a name, which transformers then misses, or nothing but spelling."""
    data, seen = weights.read_bytes(), 0
    for position in range(header_bytes(weights)):
        flipped = bytearray(data)
        flipped[position] ^= 1
        weights.write_bytes(flipped)
        try:
            found = tensor_shapes(weights)
        except UserError:
            seen += 1
            continue
        assert sorted(found.values()) == sorted(SHAPES.values()), f"byte {position}"
    assert seen > header_bytes(weights) / 3


def index(folder, **names):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def test_an_index_names_the_files_and_others_are_left_alone(weights):
    folder = weights.parent
    for name in ("a.safetensors", "b.safetensors", "consolidated.safetensors"):
        (folder / name).write_bytes(weights.read_bytes())
    weights.unlink()
    index(folder, x="b.safetensors", y="a.safetensors", z="b.safetensors")
    assert [path.name for path in weight_files(folder)] == ["a.safetensors", "b.safetensors"]
    (folder / "a.safetensors").unlink()
    with pytest.raises(UserError, match="incomplete: a.safetensors, named by model.safetensors.index.json"):
        weight_files(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"weight_map": {}}', '{"weight_map": {"x": "/etc/passwd"}}'])
def test_an_index_that_is_none_is_refused(weights, text):
    weights.unlink()
    (weights.parent / "model.safetensors.index.json").write_text(text)
    with pytest.raises(UserError, match="index.json is damaged"):
        weight_files(weights.parent)


def test_a_copy_has_the_same_fingerprint_and_a_changed_config_another(weights, tmp_path):
    folder, copy = weights.parent, tmp_path / "copy"
    (folder / "config.json").write_text('{"rope_theta": 10000}')
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "README.md").write_text("Not a part of the model.")
    assert folder_fingerprint(copy) == folder_fingerprint(folder)
    (copy / "config.json").write_text('{"rope_theta": 10001}')
    assert folder_fingerprint(copy) != folder_fingerprint(folder)


@pytest.fixture
def counted(monkeypatch):
    """The files that were really read."""
    read = []
    monkeypatch.setattr(hashes, "file_sha256", lambda path: read.append(path) or file_sha256(path))
    monkeypatch.setattr(hashes, "SETTLED_NS", -(10**12))
    return read


def test_a_file_is_hashed_once(weights, counted):
    assert kept_sha256(weights) == kept_sha256(weights) == file_sha256(weights)
    assert len(counted) == 1


def test_a_changed_file_is_hashed_again_even_with_its_old_time(weights, counted):
    import os

    first, before = kept_sha256(weights), weights.stat()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept_sha256(weights) != first
    assert len(counted) == 2


def test_a_file_that_was_just_written_is_not_trusted_yet(weights, counted, monkeypatch):
    monkeypatch.setattr(hashes, "SETTLED_NS", 10**15)
    assert kept_sha256(weights) == kept_sha256(weights)
    assert len(counted) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stamp": 1}'])
def test_a_damaged_record_is_written_anew(weights, counted, home, text):
    right = kept_sha256(weights)
    next((home / "hashes").iterdir()).write_text(text)
    assert kept_sha256(weights) == right
    assert kept_sha256(weights) == right and len(counted) == 2
