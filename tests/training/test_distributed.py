"""Masked DPO in two processes on CPUs (gloo), each with one thread: the same as in one, frozen neurons included."""

import copy
import json
import sys
from dataclasses import replace

import psutil
import pytest
import torch
from safetensors.torch import load_file

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.layout import mlp_blocks
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs.cluster import Launch
from safeneuron.training import distributed
from safeneuron.training.checkpoints import REFERENCE_FILE, checkpoint_step, last_checkpoint
from safeneuron.training.distributed import train_distributed
from safeneuron.training.exchange import Exchange
from safeneuron.training.frozen import FrozenNeurons, FrozenReport, FrozenSlice, part_in
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.reporting import REFERENCE, TRAINING
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.watched import RefusalChecks, refusal_curve
from safeneuron.training.watching import refusals_while_training
from tests.runs.slurm import install

STEPS = 6
SETTINGS = MaskedDPOSettings(
    learning_rate=1e-3, weight_decay=0.1, max_grad_norm=0.5, max_steps=STEPS, batch_size=4, save_steps=1
)
PAIRS = tuple(
    PreferencePair(
        f"Question {number}: how do I do it?", f"I cannot help with {number}.", f"First {'you ' * number} go on."
    )
    for number in range(8)
)


@pytest.fixture
def tied(make_tiny):
    """A Llama whose output layer is its embedding, as the default model's is."""
    return make_tiny("llama", tie_word_embeddings=True)


def _copied(loaded):
    return replace(loaded, model=copy.deepcopy(loaded.model))


def _weights(loaded):
    return loaded.model.state_dict()


@pytest.mark.parametrize(
    ("sharding", "rank", "nodes"), [("ddp", 0, 1), ("fsdp2", 0, 1), ("fsdp2", 4, 1), ("fsdp2", 0, 2)]
)
def test_two_processes_train_as_one_and_resume(home, tied, some_neurons, tmp_path, monkeypatch, sharding, rank, nodes):
    neurons = some_neurons(tied)
    settings = replace(SETTINGS, lora_rank=rank)
    # Two nodes are twice this machine here: Slurm's program is a script that starts both.
    launch = Launch(2, sharding, nodes=nodes, cluster="slurm" if nodes > 1 else "local")
    install(tmp_path / "bin", monkeypatch)
    alone, together = _copied(tied), _copied(tied)
    losses, logged, seen = [], [], []
    expected = train_masked_dpo(
        alone, neurons, PAIRS, settings, on_metrics=lambda step, values: losses.append(values["loss"]), folder=tmp_path
    )
    checks, measured = RefusalChecks(dict.fromkeys(("ES", "SAS", "FULL"), neurons), 4), {}

    def log(step, values):
        if "loss" in values:
            logged.append((step, values["loss"]))
        elif refusal_curve("FULL") in values:
            measured[step] = values

    folder = tmp_path / "together"
    folder.mkdir()

    def cancel(step, fraction):
        if step == TRAINING and fraction > 0:
            raise Cancelled

    monkeypatch.setattr(distributed, "LOOK_SECONDS", 0.01)
    with pytest.raises(Cancelled):
        train_distributed(_copied(tied), neurons, PAIRS, settings, cancel, folder=folder, launch=launch)
    stopped = checkpoint_step(last_checkpoint(folder))
    assert 1 <= stopped < STEPS
    assert sorted(path.name for path in folder.iterdir()) == [f"checkpoint-{stopped}", REFERENCE_FILE]

    result = train_distributed(
        together,
        neurons,
        PAIRS,
        settings,
        lambda *told: seen.append(told),
        log,
        folder,
        checks=checks,
        launch=launch,
    )
    # The resumed half is told, and the whole is as one process has it, but for the order of sums.
    assert [step for step, _ in logged] == list(range(stopped + 1, STEPS + 1))
    assert [loss for _, loss in logged] == pytest.approx(losses[stopped:], rel=1e-3)
    assert result.loss == pytest.approx(expected.loss, rel=1e-3)
    assert {step for step, _ in seen} == {REFERENCE, TRAINING} and seen[-1] == (TRAINING, 1.0)
    for name, tensor in _weights(alone).items():
        torch.testing.assert_close(_weights(together)[name], tensor, rtol=0, atol=2e-4, msg=name)
    # The proof is of this process, which had the untrained weights.
    assert result.frozen == FrozenReport(3 * len(neurons), 0.0, True) == expected.frozen
    assert result.steps == STEPS
    assert list(measured) == [step for step in (4, STEPS) if step > stopped]
    assert measured[STEPS] == refusals_while_training(together, checks.sets)
    layer, members = next(iter(neurons.by_layer().items()))
    before, after = mlp_blocks(tied.model)[layer], mlp_blocks(together.model)[layer]
    assert torch.equal(before.gate.weight[members], after.gate.weight[members])
    assert torch.equal(before.down.weight[:, members], after.down.weight[:, members])
    assert not torch.equal(before.gate.weight, after.gate.weight)
    assert not torch.equal(before.down.weight, after.down.weight)
    kept, kept_alone = load_file(folder / REFERENCE_FILE), load_file(tmp_path / REFERENCE_FILE)
    for name, values in kept_alone.items():
        torch.testing.assert_close(kept[name], values, rtol=1e-5, atol=1e-4)


def test_the_reference_of_an_odd_number_of_pairs_is_that_of_one_process(home, tied, tmp_path):
    """Processes take equal shares, so that the last batch is filled up; what filled it must not stay."""
    none = NeuronSet("none", tied.fingerprint, tied.shape, frozenset())
    found = []
    for name, train in (("one", train_masked_dpo), ("two", train_distributed)):
        folder = tmp_path / name
        folder.mkdir()
        train(_copied(tied), none, PAIRS[:7], replace(SETTINGS, max_steps=1), folder=folder)
        found.append(load_file(folder / REFERENCE_FILE))
    one, two = found
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert len(values) == 7
        torch.testing.assert_close(two[name], values, rtol=1e-5, atol=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused(tied, some_neurons, tmp_path):
    with pytest.raises(UserError, match="5 pairs cannot be shared equally between 2 processes"):
        train_distributed(tied, some_neurons(tied), PAIRS, replace(SETTINGS, batch_size=5), folder=tmp_path)


def test_epochs_are_counted_in_batches_of_all_processes(tied, some_neurons, tmp_path, monkeypatch):
    asked = []

    def read_the_task(command, exchange, *others):
        asked.append(exchange.task().settings)
        raise Cancelled

    monkeypatch.setattr(distributed, "_carried_out", read_the_task)
    with pytest.raises(Cancelled):
        settings = replace(SETTINGS, batch_size=4, epochs=3)
        train_distributed(tied, some_neurons(tied), PAIRS[:8], settings, folder=tmp_path)
    assert asked[0].max_steps == 6
    # As a process does, with its half of every batch.
    assert replace(asked[0], batch_size=2).with_steps(8).max_steps == 6


def _carried_out(tmp_path, code, progress=lambda *told: None, on_metrics=None):
    """Let other code play the processes."""
    exchange = Exchange(tmp_path)
    start = f"from pathlib import Path; import json; at = Path({str(tmp_path)!r})\n"
    return distributed._carried_out([sys.executable, "-c", start + code], exchange, progress, on_metrics, {})


def _ends(outcome):
    return f"(at / 'outcome.json').write_text({json.dumps(outcome)!r})"


def test_how_the_processes_ended_is_how_the_training_ends(tmp_path):
    assert _carried_out(tmp_path, _ends({"steps": 1, "losses": [0.5]})) == {"steps": 1, "losses": [0.5]}
    with pytest.raises(UserError, match="The loss is no number"):
        _carried_out(tmp_path, _ends({"mistake": "The loss is no number."}) + "; raise SystemExit(1)")
    with pytest.raises(RuntimeError, match="OutOfMemoryError: no memory"):
        _carried_out(tmp_path, _ends({"defect": "OutOfMemoryError: no memory"}))
    (tmp_path / "outcome.json").unlink()
    with pytest.raises(RuntimeError, match="ended without a word"):
        _carried_out(tmp_path, "raise SystemExit(1)")


def test_what_the_processes_tell_is_passed_on_and_a_cancel_reaches_them(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "LOOK_SECONDS", 0.01)
    code = f"""
import time
with (at / "events.jsonl").open("a") as log:
    log.write('{{"metrics": 1, "values": {{"loss": 0.5}}}}\\n{{"step": "Training", "fraction": 0.25}}\\n{{"st')
while not (at / "stop").exists():
    time.sleep(0.01)
{_ends({"cancelled": True})}
"""
    seen, metrics = [], []

    def cancel(step, fraction):
        seen.append((step, fraction))
        raise Cancelled

    with pytest.raises(Cancelled):
        _carried_out(tmp_path, code, cancel, lambda *logged: metrics.append(logged))
    assert seen == [("Training", 0.25)] and metrics == [(1, {"loss": 0.5})]


def test_processes_end_with_a_run_that_is_ended(tmp_path):
    code = """
import os, time
(at / "pid").write_text(str(os.getpid()))
(at / "events.jsonl").write_text('{"step": "x", "fraction": 0.0}\\n')
time.sleep(60)
"""

    def end(step, fraction):
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        _carried_out(tmp_path, code, end)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.fixture
def process_group():
    """Return a function that makes this process believe to be one of several, of another number each time.

    PyTorch remembers what it found out for as many processes, its own place among them too.
    """
    import torch.distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    def join(processes, place):
        dist.init_process_group("fake", rank=place, world_size=processes, store=FakeStore())
        return dist.device_mesh.init_device_mesh("cpu", (processes,))

    yield join
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.parametrize("dimension", [0, 1])
@pytest.mark.parametrize(("processes", "place"), [(2, 0), (3, 1), (4, 3)])
def test_each_process_keeps_its_part_of_a_frozen_slice(process_group, dimension, processes, place):
    """Of 7 rows the processes have 4 and 3; 3, 3 and 1; or 2, 2, 2 and 1."""
    from torch.distributed.tensor import DTensor, Shard

    mesh = process_group(processes, place)
    whole = torch.arange(35.0).view(7, 5)
    indices = torch.tensor([0, 2, 4] if dimension else [0, 2, 3, 6])
    frozen = FrozenSlice(whole, dimension, indices, whole.index_select(dimension, indices))
    most = -(-7 // processes)
    rows = slice(most * place, most * place + most)
    shard = torch.nn.Parameter(
        DTensor.from_local(whole[rows].clone(), mesh, [Shard(0)], run_check=False, shape=whole.shape, stride=(5, 1))
    )
    mask = FrozenNeurons([part_in(shard, frozen)])
    shard.grad = torch.ones_like(shard.detach())
    for hook in shard._post_accumulate_grad_hooks.values():
        hook(shard)
    constant = torch.zeros(7, 5, dtype=torch.bool).index_fill(dimension, indices, True)[rows]
    assert torch.equal(shard.grad.to_local() == 0, constant)
    with torch.no_grad():
        shard.to_local().mul_(0.5)
    assert not mask.verify().identical
    mask.restore()
    assert mask.verify().identical
    assert torch.equal(shard.detach().to_local(), torch.where(constant, whole[rows], whole[rows] * 0.5))
