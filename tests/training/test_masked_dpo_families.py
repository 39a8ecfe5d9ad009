"""Masked DPO on every family: trained on the model's own log-probabilities, with frozen slices that stay."""

import copy
from dataclasses import replace

import pytest
import torch

from safeneuron.models.layout import mlp_blocks
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.settings import MaskedDPOSettings
from tests.tiny_models import CASES

PAIR = PreferencePair("How do I do it?", "I cannot help with that.", "First you take two of them.")


@torch.inference_mode()
def log_probability(loaded, answer):
    """Of the templated answer's tokens after the templated prompt, in nats, from the model's own logits."""
    turns = [{"role": "user", "content": PAIR.prompt}, {"role": "assistant", "content": answer}]
    apply = loaded.tokenizer.apply_chat_template
    start = apply(turns[:1], add_generation_prompt=True, return_dict=True)["input_ids"]
    ids = torch.tensor([apply(turns, return_dict=True)["input_ids"]])
    assert ids[0, : len(start)].tolist() == start
    steps = loaded.model(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])
    return float(steps[0, len(start) - 1 :].sum())


CASES = CASES | {"Falcon with dropout": ("falcon", {"hidden_dropout": 0.3, "attention_dropout": 0.3})}


@pytest.mark.parametrize("name", CASES)
def test_what_is_trained_is_the_model_and_frozen_slices_stay(make_tiny, some_neurons, name):
    family, settings = CASES[name]
    loaded = make_tiny(family, **settings)
    trained = replace(loaded, model=copy.deepcopy(loaded.model))
    neurons = some_neurons(loaded)
    logged = []
    result = train_masked_dpo(
        trained,
        neurons,
        [PAIR],
        MaskedDPOSettings(learning_rate=1e-2, weight_decay=0.1, max_steps=2, batch_size=1, forward_zeroing=False),
        on_metrics=lambda step, values: logged.append(values),
    )
    assert logged[0]["logps/chosen"] == pytest.approx(log_probability(loaded, PAIR.chosen), abs=1e-3)
    assert logged[0]["logps/rejected"] == pytest.approx(log_probability(loaded, PAIR.rejected), abs=1e-3)
    rates = {key: value for key, value in loaded.model.config.to_dict().items() if "drop" in key}
    assert {key: trained.model.config.to_dict()[key] for key in rates} == rates
    assert result.frozen.identical and result.steps == 2
    assert result.frozen.slices == len(neurons) * len(mlp_blocks(loaded.model)[0].parameters)
    for layer, (before, after) in enumerate(zip(mlp_blocks(loaded.model), mlp_blocks(trained.model), strict=True)):
        for (old, tensor), (new, _) in zip(before.parameters, after.parameters, strict=True):
            same = (old == new).movedim(tensor.axis, 0)[tensor.offset :][: before.d_mlp].reshape(before.d_mlp, -1)
            assert same[neurons.by_layer()[layer]].all() and not same.all()
