"""Gradients are taken of what was asked for, and the model is afterwards as it was before."""

import pytest
import torch

from safeneuron.errors import Cancelled
from safeneuron.models.chat import encode
from safeneuron.models.gradients import gradients


@pytest.fixture
def settings(spare):
    """A model of which one weight already takes no gradient and another holds one."""
    first, second, *_ = spare.model.parameters()
    first.requires_grad_(False)
    second.grad = torch.ones_like(second)
    return [(weight, weight.requires_grad, weight.grad) for weight in spare.model.parameters()]


def test_only_what_was_asked_for_takes_a_gradient(spare, settings, prompts):
    wanted = [spare.model.model.layers[1].mlp.down_proj.weight]
    with gradients(spare, wanted):
        spare.model(**encode(spare, prompts), use_cache=False).logits.sum().backward()
        taken = [weight for weight in spare.model.parameters() if weight.grad is not None]
        assert len(taken) == 1 and taken[0] is wanted[0] and taken[0].grad.abs().sum() > 0
    for weight, required, gradient in settings:
        assert weight.requires_grad is required and weight.grad is gradient


def test_the_model_is_as_before_after_an_error(spare, settings):
    with pytest.raises(Cancelled), gradients(spare, spare.model.parameters()):
        raise Cancelled("stop")
    for weight, required, gradient in settings:
        assert weight.requires_grad is required and weight.grad is gradient
    assert spare.lock.acquire(blocking=False)
    spare.lock.release()
