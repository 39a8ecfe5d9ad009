"""What each neuron writes into the residual stream: its output weights, as one vector a neuron.

TransformerLens calls them the rows of ``blocks.{l}.mlp.W_out``: column j of the down-projection, or row j
where weights are transposed (GPT-2). Where a norm follows the down-projection (Gemma, OLMo 2), the column
times that norm's gain; its dividing by a scale depends on all neurons and is left out. Granite multiplies
what an MLP writes by a constant, which is in it.
"""

import torch
from torch import nn

from safeneuron.models.layout import decoder_layers, layout_of, mlp_blocks
from safeneuron.models.loaded import LoadedModel

ROWS = 1024
"""Neurons that are asked for at a time where weights are packed into bytes."""


@torch.inference_mode()
def output_weights(loaded: LoadedModel, layer: int) -> torch.Tensor:
    """Return the output weights of a layer's neurons ``[d_mlp, d_model]``, float32 or wider, on the layer's device."""
    block, layout = mlp_blocks(loaded.model)[layer], layout_of(loaded.model)
    weight, tensor = block.parameters[-1]
    if weight.is_floating_point():
        found = weight.detach().movedim(tensor.axis, 0)
        found = found.to(torch.promote_types(found.dtype, torch.float32))
    else:
        found = answers_to_single_neurons(block.down, block.d_mlp, loaded.model.dtype)
    if layout.mlp_norm:
        found = found * _gain(decoder_layers(loaded.model)[layer].get_submodule(layout.mlp_norm), found)
    share = getattr(loaded.model.config.get_text_config(), "residual_multiplier", 1.0)
    # Not times 1: a layer of a large model takes a gigabyte, and would be copied for it.
    return found if share == 1.0 else found * share


def answers_to_single_neurons(down: nn.Module, d_mlp: int, dtype: torch.dtype) -> torch.Tensor:
    """Return what a down-projection writes for each neuron alone at 1 ``[d_mlp, d_model]``, float32, without its bias.

    So 4-bit weights are read by the library that packed them.
    """
    device = next(down.parameters()).device
    none = down(torch.zeros(1, d_mlp, dtype=dtype, device=device))
    rows = torch.arange(d_mlp, device=device)
    chunks = (nn.functional.one_hot(chunk, d_mlp).to(dtype) for chunk in rows.split(ROWS))
    return torch.cat([(down(chunk) - none).float() for chunk in chunks])


def _gain(norm: nn.Module, like: torch.Tensor) -> torch.Tensor:
    """Return what a root mean square norm multiplies each coordinate by ``[d_model]``.

    Such norms keep the gain or, Gemma's, the gain less 1; asked by a vector whose root mean square is 1024, beside
    which their epsilon is nothing, all of them tell it.
    """
    weight = next(norm.parameters())
    return norm(torch.full(weight.shape, 1024.0, dtype=weight.dtype, device=weight.device)).to(like)
