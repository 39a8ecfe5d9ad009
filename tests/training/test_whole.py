"""The whole model of several processes: what is measured of it is measured of the model that they train."""

import copy
from dataclasses import replace

import pytest
import torch
from peft import get_peft_model

from safeneuron.prompts import builtin
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.training import watching
from safeneuron.training.lora import lora_config
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.watching import refusals_while_training
from safeneuron.training.whole import WholeModel


@pytest.mark.parametrize("rank", [0, 4])
def test_the_copy_measures_what_the_trained_model_would(home, make_tiny, some_neurons, monkeypatch, rank):
    loaded = make_tiny("llama")
    neurons = some_neurons(loaded)
    sets = dict.fromkeys(("ES", "SAS", "FULL"), neurons)
    settings = MaskedDPOSettings(lora_rank=rank)
    before = torch.get_rng_state()
    whole, other = WholeModel(loaded, settings, True), WholeModel(loaded, settings, False)
    # Or an adapter of the training would begin elsewhere.
    assert torch.equal(torch.get_rng_state(), before)
    untrained = replace(loaded, model=copy.deepcopy(loaded.model))
    if rank:
        get_peft_model(loaded.model, lora_config(loaded.model, settings))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    # A threshold in the middle of the trained model's scores, so that a rate tells models apart.
    middle = float(sorted(refusal_scores(loaded, builtin.panel()[0].prompts))[8])
    monkeypatch.setattr(watching, "JUDGE", replace(watching.JUDGE, threshold=middle))
    found = whole.refusals(sets)
    assert found == refusals_while_training(loaded, sets) != refusals_while_training(untrained, sets)
    assert other.refusals(sets) == {}
