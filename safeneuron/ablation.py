"""The intervention: chosen neurons' activations times a factor, in memory only.

Multiplying coordinate j of the down-projection's input by 0 equals zeroing column j of its weight
(SafeNeuron's neuron pruning, arXiv 2602.12158 section 4.1), at every position, for as long as the
``with`` block lasts. Nothing here can write the ablated model anywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from safeneuron.errors import UserError
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet


@contextmanager
def ablate(loaded: LoadedModel, neurons: NeuronSet | None, factor: float = 0.0) -> Iterator[None]:
    """Ablate the neurons while the block runs; the hooks go whatever happens inside it.

    Parameters
    ----------
    loaded : LoadedModel
        Locked for the duration, so that nobody else computes under these hooks.
    neurons : NeuronSet or None
        None or an empty set leaves the model as it is (ORI).
    factor : float
        0 removes, 1 changes nothing, 2 doubles.

    Raises
    ------
    UserError
        When the set belongs to a model of another shape.
    """
    with loaded.lock:
        handles = add_hooks(loaded.model, neurons, factor) if neurons else []
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def add_hooks(model: nn.Module, neurons: NeuronSet, factor: float = 0.0) -> list[torch.utils.hooks.RemovableHandle]:
    """Put the ablation on a bare model and return the handles that take it off again."""
    blocks = mlp_blocks(model)
    shape = (len(blocks), blocks[0].d_mlp)
    if neurons.shape != shape:
        raise UserError(
            f"The set {neurons.name} is of a model with {neurons.shape[0]} layers of {neurons.shape[1]} neurons, "
            f"this one has {shape[0]} of {shape[1]}; choose a set of this model."
        )
    handles = []
    for layer, indices in neurons.by_layer().items():
        weight = blocks[layer].down.weight
        scale = torch.ones(shape[1], device=weight.device)
        scale[indices] = factor
        handles.append(blocks[layer].down.register_forward_pre_hook(_scaling(scale)))
    return handles


def _scaling(scale: torch.Tensor):
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        # In the activations' type and not the weights': those of 4-bit models are bytes, in which 0.5 is 0.
        return (inputs[0] * scale.to(inputs[0].dtype), *inputs[1:])

    return hook
