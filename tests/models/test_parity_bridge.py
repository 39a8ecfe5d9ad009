"""TransformerBridge beside the plain model: what it cannot do is said, what it disagrees on is red."""

import copy
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from safeneuron.activations import pooled_activations
from safeneuron.models import parity
from safeneuron.models.bridge import bridge_run, module_copy
from safeneuron.models.chat import encode
from safeneuron.models.parity_report import kept_parity

some = parity._some_neurons


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


def test_a_bridge_that_fails_on_our_neurons_only_is_red(llama, home, monkeypatch):
    """It has computed the model, so an error that is about the neurons may be ours."""
    from transformer_lens.model_bridge import TransformerBridge

    run = TransformerBridge.run_with_hooks
    monkeypatch.setattr(
        TransformerBridge,
        "run_with_hooks",
        lambda *given, fwd_hooks, **more: [][5] if fwd_hooks else run(*given, fwd_hooks=fwd_hooks, **more),
    )
    report = parity.check_parity(llama)
    assert report.failures() == ["bridge_activations", "bridge_logits"] and report.not_compared == ""
    assert "not with the same neurons: TransformerLens' bridge fails on this Llama" in report.bridge_words
    assert "(IndexError: list index out of range)" in report.bridge_words
    assert kept_parity(llama.fingerprint) == report


def test_a_bridge_without_our_last_layer_is_red(llama, home, monkeypatch):
    shape = llama.shape
    taller = replace(llama, card=replace(llama.card, n_layers=shape[0] + 1))
    monkeypatch.setattr(parity, "_some_neurons", lambda loaded, per_layer: some(llama, per_layer))
    report = parity.check_parity(taller)
    assert not report.passed and "Hook name 'blocks.3.mlp.hook_post' does not exist" in report.bridge_words


def test_logits_of_another_shape_are_red(llama, home, monkeypatch):
    activations, logits = bridge_run(llama, some(llama, 8), encode(llama, parity.PROMPTS))
    monkeypatch.setattr(parity, "bridge_run", lambda *_: (activations, logits[..., :-1]))
    report = parity.check_parity(llama)
    assert not report.passed and "shape (3, 258) there and (3, 259) here" in report.bridge_words
    monkeypatch.setattr(parity, "bridge_run", lambda *_: ([found[..., :-1] for found in activations], logits))
    report = parity.check_parity(llama)
    assert not report.passed and "39) there and (3, " in report.bridge_words


def test_a_transformer_lens_that_cannot_be_imported_is_no_agreement(llama, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformer_lens.model_bridge", None)
    report = parity.check_parity(llama)
    assert report.passed and report.not_compared.startswith("TransformerLens' bridge fails on this LlamaForCausalLM (")
    assert report.bridge_words.startswith("Hook ablation was compared with the zeroed columns, but not with Transfo")


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


def test_the_bridge_shares_the_weights(llama):
    copied = module_copy(llama.model)
    pairs = list(zip(llama.model.parameters(), copied.parameters(), strict=True))
    assert pairs and all(one is not other and one.data_ptr() == other.data_ptr() for one, other in pairs)
    assert all(one.requires_grad and not other.requires_grad for one, other in pairs)
    modules = zip(llama.model.modules(), copied.modules(), strict=True)
    assert all(one is not other for one, other in modules)


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
