"""One bridge, several runs: what is read, what is zeroed, and a name that is none."""

import pytest
import torch

from safeneuron.models.bridge import BridgeMissing, bridge_of
from safeneuron.models.chat import encode

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


def test_a_hook_that_is_not_there_is_a_reason(llama, prompts):
    with pytest.raises(BridgeMissing, match="TransformerLens"):
        bridge_of(llama).run(encode(llama, prompts[:1]), ["blocks.0.hook_nothing"])
