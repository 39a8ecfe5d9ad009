import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.chat import prompt_ids
from safeneuron.models.chat_format import FALLBACKS, ChatFormat, speaking
from safeneuron.models.layout import mlp_blocks
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.config import dpo_config
from safeneuron.training.dpo_trainer import dpo_trainer
from safeneuron.training.frozen import FrozenNeurons, FrozenReport
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.reporting import REFERENCE, TRAINING
from safeneuron.training.settings import MaskedDPOSettings

SETTINGS = MaskedDPOSettings(learning_rate=1e-3, weight_decay=0.1, max_steps=4, batch_size=4)
PAIRS = tuple(
    PreferencePair(
        f"Question {number}: how do I do it?", f"I cannot help with {number}.", f"First {'you ' * number} go on."
    )
    for number in range(6)
)


def _empty(loaded):
    return NeuronSet("none", loaded.fingerprint, loaded.shape, frozenset())


def _train(loaded, neurons, **changes):
    """Train a copy; return it, the result and the values logged in each step."""
    copied = replace(loaded, model=copy.deepcopy(loaded.model))
    logged = []
    result = train_masked_dpo(
        copied,
        neurons,
        PAIRS,
        replace(SETTINGS, **changes),
        on_metrics=lambda step, values: logged.append((step, values)),
    )
    return copied, result, logged


@pytest.fixture(scope="module")
def plain(tiny_models, tmp_path_factory):
    """The same pairs and settings through TRL's own trainer, with nothing of ours around it."""
    from datasets import Dataset
    from trl import DPOTrainer

    loaded = tiny_models["llama"]
    model = copy.deepcopy(loaded.model)
    rows = [
        {
            "prompt": [{"role": "user", "content": pair.prompt}],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in PAIRS
    ]
    config = dpo_config(SETTINGS, str(tmp_path_factory.mktemp("plain")), "cpu")
    trainer = DPOTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=loaded.tokenizer
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, model.state_dict()


@pytest.mark.parametrize("forward_zeroing", [True, False])
def test_empty_set_equals_plain_trl(llama, plain, forward_zeroing):
    losses, weights = plain
    trained, result, logged = _train(llama, _empty(llama), forward_zeroing=forward_zeroing)
    assert [values["loss"] for _, values in logged] == losses
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    assert result.frozen.slices == 0
    assert result.frozen.identical


@pytest.mark.parametrize("forward_zeroing", [True, False])
def test_frozen_slices_equal_their_start_and_others_move(llama, some_neurons, forward_zeroing):
    neurons = some_neurons(llama)
    trained, result, _ = _train(llama, neurons, forward_zeroing=forward_zeroing)
    assert result.frozen.identical
    assert result.frozen.slices == 3 * len(neurons)
    assert result.steps == SETTINGS.max_steps
    for layer, members in neurons.by_layer().items():
        others = [index for index in range(neurons.shape[1]) if index not in members]
        before, after = mlp_blocks(llama.model)[layer], mlp_blocks(trained.model)[layer]
        for name in ("gate", "up"):
            old, new = getattr(before, name).weight, getattr(after, name).weight
            assert torch.equal(old[members], new[members])
            assert not torch.equal(old[others], new[others])
        assert torch.equal(before.down.weight[:, members], after.down.weight[:, members])
        assert not torch.equal(before.down.weight[:, others], after.down.weight[:, others])


MODES = {
    "weight decay": {"weight_decay": 0.5},
    "clipping": {"max_grad_norm": 0.01},
    "accumulation": {"batch_size": 2, "gradient_accumulation_steps": 2},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "bfloat16": {"bf16": True},
    "without the down column": {"freeze_down_column": False},
}
MODES["all at once"] = {key: value for mode in MODES.values() for key, value in mode.items()}


@pytest.mark.parametrize(("mode", "forward_zeroing"), [*((mode, False) for mode in MODES), ("all at once", True)])
def test_frozen_slices_stay_in_every_mode_and_after_a_resumed_checkpoint(
    llama, some_neurons, tmp_path, mode, forward_zeroing
):
    neurons = some_neurons(llama)
    settings = replace(SETTINGS, **MODES[mode], forward_zeroing=forward_zeroing, max_steps=3)

    def train(folder=None, cancel=False):
        def listen(step, fraction):
            if cancel and step == TRAINING and fraction > 0:
                raise Cancelled

        copied = replace(llama, model=copy.deepcopy(llama.model))
        return copied, train_masked_dpo(copied, neurons, PAIRS, settings, listen, folder=folder)

    trained, result = train()
    with pytest.raises(Cancelled):
        train(tmp_path, cancel=True)
    resumed, again = train(tmp_path)
    assert result == again
    assert result.frozen == FrozenReport((3 if settings.freeze_down_column else 2) * len(neurons), 0.0, True)
    weights = resumed.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in trained.model.state_dict().items())
    layer, members = next(iter(neurons.by_layer().items()))
    before, after = mlp_blocks(llama.model)[layer], mlp_blocks(trained.model)[layer]
    assert torch.equal(before.gate.weight[members], after.gate.weight[members])
    assert not torch.equal(before.gate.weight, after.gate.weight)
    same_columns = torch.equal(before.down.weight[:, members], after.down.weight[:, members])
    assert same_columns == settings.freeze_down_column


@pytest.mark.parametrize("forward_zeroing", [True, False])
def test_with_all_neurons_frozen_the_mlps_stay_and_the_rest_moves(llama, forward_zeroing):
    everything = from_mask("all", llama.fingerprint, np.ones(llama.shape, bool))
    trained, result, _ = _train(llama, everything, forward_zeroing=forward_zeroing)
    assert result.frozen.identical
    after = trained.model.state_dict()
    for name, tensor in llama.model.state_dict().items():
        # Nothing comes back through MLPs that are switched off, not even to the norm before them.
        constant = ".mlp." in name or (forward_zeroing and "post_attention_layernorm" in name)
        assert torch.equal(tensor, after[name]) == constant, name


def test_epochs_are_passes_over_the_pairs(llama, some_neurons):
    _, result, logged = _train(llama, some_neurons(llama), epochs=2, batch_size=2, gradient_accumulation_steps=2)
    assert result.steps == 4 and logged[-1][1]["epoch"] == 2.0


def test_a_single_step_trains(llama, some_neurons):
    trained, _, logged = _train(llama, some_neurons(llama), max_steps=1)
    assert logged[0][1]["learning_rate"] > 0
    before, after = mlp_blocks(llama.model)[0], mlp_blocks(trained.model)[0]
    assert not torch.equal(before.up.weight, after.up.weight)


def test_the_report_tells_when_nothing_restores(llama, some_neurons, monkeypatch):
    monkeypatch.setattr(FrozenNeurons, "restore", lambda self: None)
    _, result, _ = _train(llama, some_neurons(llama))
    assert not result.frozen.identical
    assert result.frozen.max_abs_diff > 0


def test_forward_zeroing_changes_the_policy_but_not_the_reference(llama, some_neurons):
    """In the first step an untouched policy equals the reference, so its margin is 0; a zeroed one's is not."""
    neurons = some_neurons(llama)
    _, _, with_zeroing = _train(llama, neurons)
    _, _, without = _train(llama, neurons, forward_zeroing=False)
    assert without[0][1]["rewards/margins"] == pytest.approx(0.0, abs=1e-4)
    assert abs(with_zeroing[0][1]["rewards/margins"]) > 1e-2


def test_logs_what_the_page_draws(llama, some_neurons):
    _, _, logged = _train(llama, some_neurons(llama))
    assert [step for step, _ in logged] == [1, 2, 3, 4]
    wanted = {"loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", "learning_rate"}
    assert all(wanted <= values.keys() for _, values in logged)


def test_leaves_no_hook_and_no_patch(llama, some_neurons, count_hooks):
    trained, _, _ = _train(llama, some_neurons(llama))
    assert count_hooks(trained) == 0
    assert "forward" not in vars(trained.model)
    assert not trained.model.training
    assert all(not parameter._post_accumulate_grad_hooks for parameter in trained.model.parameters())


def test_prints_nothing_on_standard_output(llama, some_neurons, capsys):
    _train(llama, some_neurons(llama))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("phase", [REFERENCE, TRAINING])
def test_a_listener_can_cancel_in_each_phase(llama, some_neurons, count_hooks, phase):
    copied = replace(llama, model=copy.deepcopy(llama.model))
    seen = []

    def listen(step, fraction):
        seen.append((step, fraction))
        if step == phase and fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        train_masked_dpo(copied, some_neurons(llama), PAIRS, SETTINGS, listen)
    assert seen[-1] == (phase, 0.5 if phase == REFERENCE else 0.25)
    assert count_hooks(copied) == 0
    assert "forward" not in vars(copied.model)


def test_no_pairs_is_said_plainly(llama):
    with pytest.raises(UserError, match="at least one preference pair"):
        train_masked_dpo(llama, _empty(llama), ())


def test_settings_that_cannot_train_are_said_plainly():
    with pytest.raises(UserError, match="--max-steps"):
        MaskedDPOSettings(max_steps=0)
    with pytest.raises(UserError, match="learning rate"):
        MaskedDPOSettings(learning_rate=0)


def test_the_trainer_reads_what_the_passes_read(llama, tmp_path):
    spoken = replace(llama, tokenizer=speaking(llama.tokenizer, ChatFormat(FALLBACKS[1], "You are a pirate.")))
    config = dpo_config(replace(SETTINGS, max_steps=1), str(tmp_path), "cpu")
    copied = replace(spoken, model=copy.deepcopy(llama.model))
    rows = dpo_trainer(copied, PAIRS, config).train_dataset
    for row, pair in zip(rows, PAIRS, strict=True):
        assert row["prompt_ids"] == prompt_ids(spoken, pair.prompt)
        answer = llama.tokenizer(f" {pair.chosen}</s>", add_special_tokens=False)["input_ids"]
        assert row["chosen_ids"] == answer
