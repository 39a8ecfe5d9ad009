"""Models of finished runs, as a source of models."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import catalogue, model_card, open_model
from safeneuron.models.checksums import SUMS
from safeneuron.models.difference import weight_difference
from safeneuron.models.folder import save_folder
from safeneuron.models.sources.runs import model_folder as folder_of_run

OLD, NEW = "a" * 32, "b" * 32


@pytest.fixture
def two_runs(home, llama):
    for number, run_id in enumerate((OLD, NEW)):
        save_folder(
            llama.model,
            llama.tokenizer,
            folder_of_run(run_id),
            {"title": f"run {number}", "origin": "A test.", "parent": "x"},
        )
        os.utime(folder_of_run(run_id) / "safeneuron.json", (number + 1, number + 1))
    # Neither an embedded model nor something half-written is a run.
    (home / "models" / "smollm2-135m-safe-0123").mkdir()
    (home / "models" / f".{NEW}.1234.part").mkdir()


def test_finished_runs_are_listed_and_opened(two_runs, llama):
    cards = [card for card in catalogue() if card.source.startswith("run:")]
    assert [card.title for card in cards] == ["run 0", "run 1"]
    assert open_model(f"run:{NEW}").shape == llama.shape
    assert model_card("run:bbb").source == f"run:{NEW}"


@pytest.mark.parametrize("source", ["run:", "run:ccc", "run:../models", f"run:{OLD}x"])
def test_unknown_runs_are_said_plainly(two_runs, source):
    with pytest.raises(UserError, match="There is no finished run"):
        model_card(source)


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_damaged_model_of_a_run_is_lost_and_no_other(two_runs):
    flip_a_bit(folder_of_run(NEW) / "model.safetensors")
    message = "damaged .model.safetensors has changed.*put the folder back from a copy, or train"
    with pytest.raises(UserError, match=message):
        open_model(f"run:{NEW}")
    with pytest.raises(UserError, match=message):
        weight_difference(model_card(f"run:{OLD}"), replace(model_card(f"run:{NEW}"), fingerprint="other"))
    assert open_model(f"run:{OLD}")


def test_a_model_saved_without_sums_is_watched_from_its_first_opening_on(two_runs):
    (folder_of_run(NEW) / SUMS).unlink()
    assert open_model(f"run:{NEW}")
    flip_a_bit(folder_of_run(NEW) / "model.safetensors")
    with pytest.raises(UserError, match="damaged"):
        open_model(f"run:{NEW}")


def test_listing_needs_neither_mlflow_nor_torch(two_runs):
    code = (
        "import sys; from safeneuron.models.catalogue import catalogue; "
        "assert catalogue(); assert not {'mlflow', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
