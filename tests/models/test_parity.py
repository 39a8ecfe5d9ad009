"""The self-check is green on sound models and red as soon as one of the three ways differs."""

import copy
import json
import subprocess
from dataclasses import asdict, replace

import pytest
import torch

from safeneuron.ablation import ablate
from safeneuron.activations import pooled_activations
from safeneuron.models import parity, parity_report
from safeneuron.models.bridge import module_copy
from safeneuron.models.chat import encode, prompt_ids
from safeneuron.models.parity_report import LABELS, TOLERANCES, ParityReport, keep_parity, kept_parity
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


def test_bfloat16_is_judged_by_shares_and_still_turns_red(spare, home, monkeypatch):
    narrow = replace(spare, model=spare.model.to(torch.bfloat16))
    report = parity.check_parity(narrow)
    assert report.in_shares and report.passed and report.zeroed_columns == 0.0
    monkeypatch.setattr(parity, "encode", without_mask)
    assert "left_padding" in parity.check_parity(narrow).failures()


def test_the_report_is_kept_under_the_models_fingerprint(llama, home):
    assert kept_parity(llama.fingerprint) is None
    report = parity.check_parity(llama)
    assert kept_parity(llama.fingerprint) == report
    assert kept_parity("another") is None
    for damaged in ('{"zeroed', "[]", "{}"):
        (path,) = (home / "parity").iterdir()
        path.write_text(damaged)
        assert kept_parity(llama.fingerprint) is None


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


def without_mask(loaded, prompts, side="left"):
    batch = encode(loaded, prompts, side)
    batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    return batch


def test_a_lost_mask_is_red(llama, home, monkeypatch):
    monkeypatch.setattr(parity, "encode", without_mask)
    assert {"left_padding", "right_padding"} <= set(parity.check_parity(llama).failures())


def test_the_wrong_position_under_right_padding_is_red(llama, home, monkeypatch):
    monkeypatch.setattr(parity, "last_positions", lambda mask: torch.full((len(mask),), mask.shape[1] - 1))
    assert parity.check_parity(llama).failures() == ["right_padding"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ '<s><s>' }}{% for message in messages %}{{ message['content'] }}{% endfor %}",
        "{% for message in messages %}{{ message['content'] + message['content'] }}{% endfor %}",
        "{{ '<s>' }}{% for message in messages %}{{ message['role'] }}{% endfor %}",
    ],
    ids=["two BOS", "prompt twice", "prompt lost"],
)
def test_a_template_that_is_not_applied_once_is_red(llama, home, template):
    tokenizer = copy.deepcopy(llama.tokenizer)
    tokenizer.chat_template = template
    report = parity.check_parity(replace(llama, tokenizer=tokenizer))
    assert report.failures() == ["chat_template"]
    assert report.chat_template == len(parity.PROMPTS)


def test_a_tokenizer_that_adds_a_second_bos_is_red(llama, home, monkeypatch):
    monkeypatch.setattr(parity, "prompt_ids", lambda loaded, prompt: [1, *prompt_ids(loaded, prompt)])
    assert parity.check_parity(llama).failures() == ["chat_template"]


def test_without_a_bridge_the_report_says_so_and_is_no_green_of_all_three(llama, home, monkeypatch):
    from transformer_lens.factories import architecture_adapter_factory

    monkeypatch.delitem(architecture_adapter_factory.SUPPORTED_ARCHITECTURES, "LlamaForCausalLM")
    report = parity.check_parity(llama)
    assert report.passed and report.zeroed_columns <= 1e-5
    assert (report.bridge_activations, report.bridge_logits) == (None, None)
    assert report.not_compared == "TransformerLens has no bridge for LlamaForCausalLM"
    assert not report.compared("bridge_logits") and report.compared("left_padding")
    assert kept_parity(llama.fingerprint) == report
    assert replace(report, not_compared="").failures() == ["bridge_activations", "bridge_logits"]


def test_a_bridge_that_fails_is_a_reason_and_no_agreement(llama, home, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    monkeypatch.setattr(TransformerBridge, "run_with_hooks", lambda *_, **__: {}["q_proj"])
    report = parity.check_parity(llama)
    assert report.not_compared == "TransformerLens' bridge fails on this LlamaForCausalLM (KeyError: 'q_proj')"
    assert report.bridge_logits is None


def test_a_lack_of_memory_is_no_report(llama, home, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    def run_out(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(TransformerBridge, "run_with_hooks", run_out)
    with pytest.raises(torch.OutOfMemoryError):
        parity.check_parity(llama)
    assert kept_parity(llama.fingerprint) is None


def test_a_model_that_also_sees_makes_the_bridge_install_nothing(make_tiny, home, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(f"a process was started: {arguments}")

    for name in ("check_call", "run", "Popen"):
        monkeypatch.setattr(subprocess, name, refuse)
    report = parity.check_parity(make_tiny("gemma3"))
    assert report.passed and report.not_compared == ""


def test_the_tokenizer_stays_as_it_is(llama, home):
    """TransformerLens gives one without BOS a BOS, as Qwen's; chat templates would write it from then on."""
    tokenizer = copy.deepcopy(llama.tokenizer)
    tokenizer.bos_token = None
    assert parity.check_parity(replace(llama, tokenizer=tokenizer)).passed
    assert tokenizer.bos_token is None


def test_a_report_with_other_libraries_is_made_anew(llama, home, monkeypatch):
    keep_parity(llama.fingerprint, ParityReport(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8))
    assert kept_parity(llama.fingerprint).passed
    monkeypatch.setattr(parity_report, "library_versions", lambda: "torch 9")
    assert kept_parity(llama.fingerprint) is None


def test_a_report_of_an_earlier_version_is_made_anew(llama, home):
    report = parity.check_parity(llama)
    path = home / "parity" / f"{llama.fingerprint}.json"
    earlier = {key: value for key, value in asdict(report).items() if key not in ("right_padding", "not_compared")}
    path.write_text(json.dumps(earlier))
    assert kept_parity(llama.fingerprint) is None
    parity.require_parity(llama)
    assert kept_parity(llama.fingerprint) == report


def test_the_bridge_shares_the_weights(llama):
    copied = module_copy(llama.model)
    pairs = list(zip(llama.model.parameters(), copied.parameters(), strict=True))
    assert pairs and all(one is not other and one.data_ptr() == other.data_ptr() for one, other in pairs)
    assert all(one.requires_grad and not other.requires_grad for one, other in pairs)
    modules = zip(llama.model.modules(), copied.modules(), strict=True)
    assert all(one is not other for one, other in modules)


def test_columns_come_back_when_a_pass_fails(spare, some_neurons):
    before = {name: tensor.clone() for name, tensor in spare.model.state_dict().items()}
    with pytest.raises(ZeroDivisionError), torch.inference_mode(), parity._zeroed_columns(spare, some_neurons(spare)):
        assert any(not torch.equal(tensor, before[name]) for name, tensor in spare.model.state_dict().items())
        raise ZeroDivisionError
    assert all(torch.equal(tensor, before[name]) for name, tensor in spare.model.state_dict().items())


def test_activations_of_another_layer_are_red(llama, home, monkeypatch):
    plain = parity._plain_activations
    monkeypatch.setattr(parity, "_plain_activations", lambda loaded, batch: plain(loaded, batch)[::-1])
    assert parity.check_parity(llama).failures() == ["bridge_activations"]


def test_every_comparison_has_its_words():
    assert LABELS.keys() == TOLERANCES.keys()


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_value_that_is_no_number_is_red(name):
    report = ParityReport(*[0.0] * 6, neurons=1)
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
