"""Gradients of a model that is only looked at: what takes one is settled for a moment, and nothing stays behind."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from safeneuron.models.loaded import LoadedModel


@contextmanager
def gradients(loaded: LoadedModel, weights: Iterable[nn.Parameter] = ()) -> Iterator[None]:
    """Let PyTorch record gradients while the block runs: of these weights, and of activations that ask for one.

    Parameters
    ----------
    loaded : LoadedModel
        Locked for the duration. No other weight takes a gradient; afterwards every weight is as it was.
    weights : iterable of nn.Parameter
        Of the model.
    """
    with loaded.lock, torch.enable_grad():
        before = [(weight, weight.requires_grad, weight.grad) for weight in loaded.model.parameters()]
        try:
            for weight, _, _ in before:
                weight.requires_grad_(False)
                weight.grad = None
            for weight in weights:
                weight.requires_grad_(True)
            yield
        finally:
            for weight, required, gradient in before:
                weight.requires_grad_(required)
                weight.grad = gradient
