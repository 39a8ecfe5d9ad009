"""A training that was stopped ends as one that was not, bit for bit, and its checkpoints are whole or not there."""

import copy
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer

from safeneuron.errors import Cancelled, UserError
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training import checkpoints
from safeneuron.training.checkpoints import checkpoint_step, last_checkpoint
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.reporting import REFERENCE, TRAINING
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
from tests.tiny_models import CASES

# Two passes over six pairs, of which the second begins in the middle of the steps.
SETTINGS = MaskedDPOSettings(learning_rate=1e-3, weight_decay=0.1, max_steps=6, batch_size=2, save_steps=2)
PAIRS = tuple(
    PreferencePair(f"Question {number}: how?", f"I cannot help with {number}.", f"First {'you ' * number} go on.")
    for number in range(6)
)


def fresh(loaded):
    return replace(loaded, model=copy.deepcopy(loaded.model))


def train(loaded, neurons, folder=None, stop_after=None, settings=SETTINGS):
    """Train a copy; return it, the result, and the logged values by step."""
    copied, logged, seen = fresh(loaded), {}, []

    def listen(step, fraction):
        seen.append((step, fraction))
        if step == TRAINING and stop_after is not None and fraction >= stop_after / settings.max_steps > 0:
            raise Cancelled

    def log(step, values):
        logged[step] = values

    if stop_after is not None:
        with pytest.raises(Cancelled):
            train_masked_dpo(copied, neurons, PAIRS, settings, listen, log, folder)
        return copied, None, logged, seen
    result = train_masked_dpo(copied, neurons, PAIRS, settings, listen, log, folder)
    return copied, result, logged, seen


def same(one, other):
    weights = other.model.state_dict()
    return all(torch.equal(tensor, weights[name]) for name, tensor in one.model.state_dict().items())


@pytest.fixture(scope="module")
def whole(tiny_models):
    """The training that nobody stopped."""
    from safeneuron.neurons import from_mask

    loaded = tiny_models["llama"]
    mask = torch.rand(loaded.shape, generator=torch.Generator().manual_seed(0)).numpy() < 0.3
    neurons = from_mask("some", loaded.fingerprint, mask)
    return neurons, *train(loaded, neurons)


@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_cancel_writes_a_checkpoint_and_resume_ends_with_the_same_bits(llama, whole, tmp_path, step):
    neurons, trained, result, logged, _ = whole
    _, _, first, _ = train(llama, neurons, tmp_path, stop_after=step)
    assert [checkpoint_step(found) for found in checkpoints.checkpoints(tmp_path)] == [step]
    again, resumed, rest, seen = train(llama, neurons, tmp_path)
    assert same(again, trained)
    assert resumed.frozen.identical and resumed == result
    assert sorted(first) == list(range(1, step + 1)) and sorted(rest) == list(range(step + 1, 7))
    for number, values in (first | rest).items():
        assert values == logged[number], number
    # Neither the reference nor the steps before are computed again.
    assert seen[:2] == [(REFERENCE, 1.0), (TRAINING, step / 6)]


def test_only_the_last_regular_checkpoint_stays_and_none_is_written_at_the_end(llama, whole, tmp_path, monkeypatch):
    written = []
    save = Trainer._save_checkpoint

    def saving(self, model, trial):
        written.append((self.state.global_step, [found.name for found in checkpoints.checkpoints(tmp_path)]))
        save(self, model, trial)

    monkeypatch.setattr(Trainer, "_save_checkpoint", saving)
    trained, *_ = train(llama, whole[0], tmp_path)
    assert written == [(2, []), (4, ["checkpoint-2"])]
    assert [found.name for found in checkpoints.checkpoints(tmp_path)] == ["checkpoint-4"]
    assert same(trained, whole[1]), "checkpoints change nothing"


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed writing file data/1"),
    ],
)
def test_a_full_disk_while_a_checkpoint_is_written_leaves_the_one_before(llama, whole, tmp_path, monkeypatch, full):
    save = Trainer._save_optimizer_and_scheduler

    def failing(self, folder):
        if self.state.global_step > 2:
            raise full
        save(self, folder)

    monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", failing)
    with pytest.raises(UserError, match="is full"):
        train(llama, whole[0], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2", "reference.safetensors"]
    monkeypatch.undo()
    again, resumed, *_ = train(llama, whole[0], tmp_path)
    assert same(again, whole[1]) and resumed == whole[2]


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(llama, whole):
    diverging = replace(SETTINGS, learning_rate=1e30, max_grad_norm=0.0, warmup=0.0)
    with pytest.raises(UserError, match="The loss is no number at step .*lower learning rate"):
        train(llama, whole[0], settings=diverging)


def test_a_checkpoint_that_does_not_fill_the_model_is_refused(llama, whole, tmp_path):
    from safetensors.torch import save_file

    train(llama, whole[0], tmp_path, stop_after=3)
    path = tmp_path / "checkpoint-3" / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="does not fit its model"):
        train(llama, whole[0], tmp_path)


def test_a_reference_of_other_texts_is_computed_anew(llama, whole, tmp_path, monkeypatch):
    train(llama, whole[0], tmp_path, stop_after=1)
    monkeypatch.setattr(sys.modules[__name__], "PAIRS", (*PAIRS[:5], replace(PAIRS[5], chosen="No.")))
    *_, seen = train(llama, whole[0], tmp_path, stop_after=2)
    assert seen[0] == (REFERENCE, 0.0)


@pytest.mark.parametrize(
    "name", ["Gemma 3 with vision", "Phi-3", "GPT-2", "OPT-350m", "Falcon-40B", "GPT-NeoX, not parallel"]
)
def test_every_kind_of_weight_file_is_gone_on_from(make_tiny, some_neurons, tmp_path, name):
    family, config = CASES[name]
    loaded = make_tiny(family, **config)
    neurons = some_neurons(loaded)
    settings = replace(SETTINGS, max_steps=2, save_steps=0)
    trained, *_ = train(loaded, neurons, settings=settings)
    train(loaded, neurons, tmp_path, stop_after=1, settings=settings)
    again, result, *_ = train(loaded, neurons, tmp_path, settings=settings)
    assert same(again, trained) and result.frozen.identical


SCRIPT = """
    import sys
    from pathlib import Path
    from tests.training.test_checkpoints import PAIRS, SETTINGS, from_folder, neurons_of
    from safeneuron.training.masked_dpo import train_masked_dpo

    loaded = from_folder(Path(sys.argv[1]))
    def log(step, values):
        print(step, flush=True)
        sys.stdin.readline()
    train_masked_dpo(loaded, neurons_of(loaded), PAIRS, SETTINGS, on_metrics=log, folder=Path(sys.argv[2]))
"""


def from_folder(folder):
    from safeneuron.models.folder import card_of_folder, load_folder

    torch.set_num_threads(1)
    return load_folder(folder, card_of_folder(folder, str(folder)))


def neurons_of(loaded):
    from safeneuron.neurons import from_mask

    mask = torch.rand(loaded.shape, generator=torch.Generator().manual_seed(0)).numpy() < 0.3
    return from_mask("some", loaded.fingerprint, mask)


def test_a_process_killed_at_a_random_step_is_gone_on_from(model_folder, whole, tmp_path, request):
    """By SIGKILL, wherever it is within the step after the one it told: computing, or writing a checkpoint."""
    moment = torch.rand(2).tolist()
    step, wait = 1 + int(moment[0] * 5), moment[1] * 0.1
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(model_folder), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(request.config.rootpath)},
    )
    for number in range(1, step + 1):
        assert process.stdout.readline() == f"{number}\n"
        process.stdin.write("\n")
        process.stdin.flush()
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it had not ended by itself"
    process.stdin.close(), process.stdout.close()
    said = f"killed {wait:.3f} s after step {step}"
    kept = last_checkpoint(folder)
    # That of step 2 or 4 was written before the step after it was told.
    assert (checkpoint_step(kept) if kept else 0) >= (step - 1) // 2 * 2, said
    loaded = from_folder(model_folder)
    result = train_masked_dpo(loaded, neurons_of(loaded), PAIRS, SETTINGS, folder=folder)
    assert same(loaded, whole[1]), said
    assert result.frozen.identical and not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_disk_that_a_run_needs_is_what_it_writes(llama, model_folder, whole, tmp_path, monkeypatch):
    from safeneuron.models.catalogue import model_card

    card = model_card(str(model_folder))

    def size(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".safetensors", ".pt"))

    for lora in ({}, {"lora_rank": 4}):
        settings = replace(SETTINGS, **lora)
        train(llama, whole[0], tmp_path / str(lora), stop_after=3, settings=settings)
        written = size(tmp_path / str(lora) / "checkpoint-3")
        # Names and shapes beside the numbers are much of so small a file.
        assert checkpoints.disk_need(card, TrainingSettings(settings)) == pytest.approx(
            max(2 * written, written + 79_000), rel=0.5
        )
    whole_run = TrainingSettings(SETTINGS)
    need = checkpoints.disk_need(card, whole_run)
    assert checkpoints.disk_need(card, TrainingSettings(replace(SETTINGS, save_steps=0))) < need
    model = size(model_folder)
    assert checkpoints.disk_need(card, replace(whole_run, rounds=3)) == pytest.approx(need + 2 * model, rel=0.1)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match="1.0 kB are free; free some space"):
        checkpoints.require_room(card, whole_run)
