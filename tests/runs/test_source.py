"""Models of finished runs, as a source of models."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.card import CARD
from safeneuron.models.catalogue import catalogue, model_card, open_model
from safeneuron.models.checksums import SUMS
from safeneuron.models.difference import weight_difference
from safeneuron.models.folder import save_folder
from safeneuron.models.sources.runs import SOURCE
from safeneuron.models.sources.runs import model_folder as folder_of_run
from safeneuron.runs.info import STATUS_FILE, RunInfo, runs_folder, write_info
from safeneuron.runs.processes import record_process

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


def run_at(status, phase="Evaluating", alive=False):
    """Write the state of a run whose model is saved already."""
    folder = runs_folder() / NEW
    write_info(
        folder, RunInfo(NEW, "a run", "test", status, {"Evaluating": 1.0}, phase, "", 0.9, "", {}, 1.0, 1.0, None, 1.0)
    )
    if alive:
        record_process(folder)


@pytest.mark.parametrize(
    ("status", "alive", "message"),
    [
        ("running", True, "bbbbbbbb has not finished .it is at 'Evaluating'.*wait for its end"),
        ("running", False, "bbbbbbbb was not finished .killed.*start it again, or give the folder"),
        ("cancelled", False, "bbbbbbbb was not finished .cancelled."),
        ("failed", False, "bbbbbbbb was not finished .failed."),
    ],
)
def test_only_finished_runs_models_are_used(two_runs, status, alive, message):
    run_at(status, alive=alive)
    assert [card.source for card in SOURCE.cards()] == [f"run:{OLD}"]
    with pytest.raises(UserError, match=message):
        open_model(f"run:{NEW}")
    assert open_model(str(folder_of_run(NEW))).card.title == "run 1", "as a folder it can be had"
    run_at("finished")
    assert model_card(f"run:{NEW}").title == "run 1"


@pytest.mark.parametrize("damaged", [lambda: folder_of_run(NEW) / CARD, lambda: runs_folder() / NEW / STATUS_FILE])
def test_one_damaged_run_is_named_and_the_others_are_listed(two_runs, damaged, caplog):
    run_at("finished")
    damaged().write_text(damaged().read_text()[:-20])
    for _ in range(2):
        assert [card.source for card in SOURCE.cards()] == [f"run:{OLD}"]
    assert [str(damaged()) in record.getMessage() for record in caplog.records] == [True], "said once"
    assert open_model(f"run:{OLD}")
    with pytest.raises(UserError, match=f"{damaged().name} is damaged"):
        model_card(f"run:{NEW}")


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
