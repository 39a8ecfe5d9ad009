"""One bridge, several runs: what is read, what is zeroed, and a name that is none."""

import gc
import weakref

import pytest
import torch

from safeneuron.models.bridge import BridgeMissing, bridge_of
from safeneuron.models.chat import encode
from safeneuron.models.parity import check_parity
from safeneuron.residual_stream import look

STREAM = "blocks.1.hook_resid_post"


@torch.inference_mode()
def test_what_is_read_is_of_the_last_tokens_and_under_the_ablation(llama, some_neurons, prompts):
    bridge, batch = bridge_of(llama), encode(llama, prompts[:2])
    whole, logits = bridge.run(batch, [STREAM])
    last, _ = bridge.run(batch, [STREAM], last=3)
    off, others = bridge.run(batch, [STREAM], some_neurons(llama))
    again, _ = bridge.run(batch, [STREAM])
    assert whole[STREAM].shape == (*batch["input_ids"].shape, 32) and last[STREAM].shape == (2, 3, 32)
    assert torch.equal(whole[STREAM][:, -3:], last[STREAM])
    assert torch.equal(whole[STREAM], again[STREAM])
    assert not torch.allclose(whole[STREAM], off[STREAM]) and not torch.allclose(logits, others)


@pytest.mark.parametrize("use", ["check_parity", "look_inside"])
def test_a_bridge_and_the_weights_that_it_splits_go_at_once(make_tiny, home, monkeypatch, use):
    phi = make_tiny("phi3")
    made = []

    def spied(loaded):
        bridge = bridge_of(loaded)
        made.append(weakref.ref(bridge.bridge))
        return bridge

    monkeypatch.setattr("safeneuron.models.bridge.bridge_of", spied)
    monkeypatch.setattr(look, "bridge_of", spied)
    gc.disable()
    try:
        if use == "check_parity":
            check_parity(phi)
        else:
            look.look_inside(phi, "Why?")
    finally:
        gc.enable()
    assert [bridge() for bridge in made] == [None]


def test_a_hook_that_is_not_there_is_a_reason(llama, prompts):
    with pytest.raises(BridgeMissing, match="TransformerLens"):
        bridge_of(llama).run(encode(llama, prompts[:1]), ["blocks.0.hook_nothing"])
