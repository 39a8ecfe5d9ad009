"""The self-check is green on sound models and red as soon as one of the three ways differs."""

from dataclasses import asdict, replace

import pytest
import torch

from safeneuron.ablation import ablate
from safeneuron.activations import pooled_activations
from safeneuron.models import parity
from safeneuron.models.chat import encode
from safeneuron.models.parity_report import LABELS, TOLERANCES, ParityReport, kept_parity
from safeneuron.neurons import NeuronSet


def test_every_family_passes_and_is_left_as_it_was(tiny, home):
    weights = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    kinds = [type(module) for module in tiny.model.modules()]
    report = parity.check_parity(tiny)
    assert report.failures() == []
    assert report.passed
    assert report.zeroed_columns <= 1e-5
    assert report.neurons == 3 * 8
    assert [type(module) for module in tiny.model.modules()] == kinds
    assert weights.keys() == tiny.model.state_dict().keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in tiny.model.state_dict().items())


def test_the_report_is_kept_under_the_models_fingerprint(llama, home):
    assert kept_parity(llama.fingerprint) is None
    report = parity.check_parity(llama)
    assert kept_parity(llama.fingerprint) == report
    assert kept_parity("another") is None


def one_further(loaded, neurons, factor=0.0):
    """An ablation with the classic error: every index is one too high."""
    moved = frozenset((layer, (index + 1) % loaded.shape[1]) for layer, index in neurons.neurons)
    return ablate(loaded, NeuronSet("moved", neurons.model, neurons.shape, moved), factor)


def forgetful(loaded, neurons, factor=0.0):
    """An ablation that leaves out the last layer."""
    kept = frozenset((layer, index) for layer, index in neurons.neurons if layer < loaded.shape[0] - 1)
    return ablate(loaded, NeuronSet("fewer", neurons.model, neurons.shape, kept), factor)


def lukewarm(loaded, neurons, factor=0.0):
    """An ablation that leaves a hundredth."""
    return ablate(loaded, neurons, 0.01)


@pytest.mark.parametrize("broken", [one_further, forgetful, lukewarm])
def test_a_wrong_ablation_is_red(llama, home, monkeypatch, broken):
    monkeypatch.setattr(parity, "ablate", broken)
    report = parity.check_parity(llama)
    assert not report.passed
    assert {"zeroed_columns", "bridge_logits"} <= set(report.failures())


def test_a_lost_mask_is_red(llama, home, monkeypatch):
    def without_mask(loaded, prompts):
        batch = encode(loaded, prompts)
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
        return batch

    monkeypatch.setattr(parity, "encode", without_mask)
    assert "left_padding" in parity.check_parity(llama).failures()


def test_activations_of_another_layer_are_red(llama, home, monkeypatch):
    plain = parity._plain_activations
    monkeypatch.setattr(parity, "_plain_activations", lambda loaded, batch: plain(loaded, batch)[::-1])
    assert parity.check_parity(llama).failures() == ["bridge_activations"]


def test_every_comparison_has_its_words():
    assert LABELS.keys() == TOLERANCES.keys()


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_value_that_is_no_number_is_red(name):
    report = ParityReport(0.0, 0.0, 0.0, 0.0, neurons=1)
    assert report.passed
    broken = replace(report, **{name: float("nan")})
    assert broken.failures() == [name]
    assert replace(report, **{name: 1.0}).failures() == [name]
    assert asdict(broken)["neurons"] == 1


@torch.inference_mode()
def test_the_bridges_cache_is_what_we_pool(tiny, spare, prompts):
    from transformer_lens.model_bridge import TransformerBridge

    batch = encode(tiny, prompts)
    pooled = pooled_activations(tiny, batch, "last")
    bridge = TransformerBridge.boot_transformers("tiny", hf_model=spare.model, tokenizer=spare.tokenizer, device="cpu")
    _, cache = bridge.run_with_cache(batch["input_ids"], attention_mask=batch["attention_mask"])
    for layer in range(tiny.shape[0]):
        last = cache[f"blocks.{layer}.mlp.hook_post"][:, -1]
        torch.testing.assert_close(last, pooled[:, layer], rtol=1e-5, atol=1e-5)


@pytest.mark.default_model
def test_the_default_model_passes(default_model, home):
    report = parity.check_parity(default_model)
    assert report.failures() == []
    assert report.zeroed_columns <= 1e-5
