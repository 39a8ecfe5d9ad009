"""The hub's local cache is read as it lies there, and only what a model needs is wanted of a repository."""

import subprocess
import sys

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import catalogue, model_card, open_model
from safeneuron.models.hub_cache import wanted_files

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "org/tiny-model"


def test_the_cache_that_transformers_filled_is_understood(home, tmp_path, model_folder):
    """Without the list of files, which only a whole download leaves."""
    storage = tmp_path / "hub" / "models--org--tiny-model"
    snapshot = storage / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    model_folder.rename(snapshot)
    (storage / "refs").mkdir()
    (storage / "refs" / "main").write_text(COMMIT)
    assert model_card(REPOSITORY).ready and open_model(REPOSITORY).shape == (3, 40)
    assert catalogue()[2].source == REPOSITORY and catalogue()[2] == model_card(REPOSITORY)
    (snapshot / "model.safetensors").unlink()
    assert len(catalogue()) == 2
    with pytest.raises(UserError, match="not in the local cache, or not whole"):
        model_card(REPOSITORY)


def test_listing_the_cache_needs_no_torch(home, tmp_path, model_folder):
    snapshot = tmp_path / "hub" / "models--org--tiny-model" / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    model_folder.rename(snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(COMMIT)
    code = (
        f"import sys; from safeneuron.models.catalogue import catalogue as c; assert c()[2].source == {REPOSITORY!r}; "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("config.json model.safetensors pytorch_model.bin x.py", "config.json model.safetensors"),
        (
            "config.json model.safetensors model.safetensors.index.json model-1-of-2.safetensors",
            "config.json model.safetensors",
        ),
        (
            "config.json model.safetensors.index.json model-1-of-2.safetensors model-2-of-2.safetensors a.onnx "
            "original/model-1-of-2.safetensors tokenizer.json README.md chat_template.jinja",
            "chat_template.jinja config.json model.safetensors.index.json tokenizer.json",
        ),
    ],
)
def test_only_what_is_needed_is_wanted(names, wanted):
    assert wanted_files("x/y", names.split()) == wanted.split()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("config.json pytorch_model.bin", "x/y holds no model.safetensors.*pickle weights are not opened"),
        ("adapter_config.json adapter_model.safetensors", "x/y holds an adapter"),
        ("README.md", "x/y holds no model of transformers"),
    ],
)
def test_a_repository_without_safetensors_is_refused(names, message):
    with pytest.raises(UserError, match=message):
        wanted_files("x/y", names.split())
