"""Keeping the parameters of safety neurons constant while everything else is trained.

To neuron (l, j) belong row j of the gate and up projections, their bias entries, and column j of
the down-projection, wherever its family keeps them (:mod:`safeneuron.models.layout`; SafeNeuron,
arXiv 2602.12158, Algorithm 1 step 3; the paper does not say whether the column is frozen, so that is a
switch). With LoRA the same parts of its factors are frozen (:mod:`safeneuron.training.lora`).
PyTorch can exempt whole tensors from training only, so slices of them take two measures:

1. Their gradient is zeroed as soon as it has been added up. Otherwise they would have their part in
   the gradient norm that everything is clipped by, and in the optimiser's running moments.
2. Their values are put back after every optimiser step. A zero gradient does not keep them: AdamW's
   weight decay is decoupled from the gradient and shrinks every entry of every tensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from safeneuron.models.layout import mlp_blocks
from safeneuron.neurons import NeuronSet


@dataclass(frozen=True)
class FrozenReport:
    """Whether the frozen slices are what they were at the start.

    Parameters
    ----------
    slices : int
        Rows, columns and bias entries that were compared.
    max_abs_diff : float
        Largest difference of any entry; exactly 0.0 when nothing moved.
    identical : bool
        Whether every bit is the same.
    """

    slices: int
    max_abs_diff: float
    identical: bool


@dataclass(frozen=True)
class FrozenSlice:
    """Some rows (dimension 0) or columns (dimension 1) of one parameter, and their values at the start."""

    parameter: torch.Tensor
    dimension: int
    indices: torch.Tensor
    start: torch.Tensor

    def now(self) -> torch.Tensor:
        """Return a copy of the slice's present values."""
        return local(self.parameter.detach()).index_select(self.dimension, self.indices)


def slice_of(parameter: torch.Tensor, dimension: int, members: Sequence[int]) -> FrozenSlice:
    """Return the slice at these indices, with its present values as its start."""
    indices = torch.tensor(members, device=parameter.device)
    return FrozenSlice(parameter, dimension, indices, parameter.detach().index_select(dimension, indices))


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return what of a tensor is in this process: all of it, or its shard where FSDP2 spread it over several."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_in(parameter: torch.Tensor, whole: FrozenSlice) -> FrozenSlice:
    """Return the part of a slice that is in this process, of a parameter that the trainer has moved or sharded.

    Parameters
    ----------
    parameter : Tensor
        Where the values are now; indices of the part count in its shard.
    whole : FrozenSlice
        Of the parameter before.
    """
    indices, start = whole.indices, whole.start
    if isinstance(parameter, DTensor):
        sizes, offsets = compute_local_shape_and_global_offset(
            parameter.shape, parameter.device_mesh, parameter.placements
        )
        for dimension, (size, offset) in enumerate(zip(sizes, offsets, strict=True)):
            if dimension == whole.dimension:
                inside = ((indices >= offset) & (indices < offset + size)).nonzero().flatten()
                indices, start = indices[inside] - offset, start.index_select(dimension, inside)
            else:
                start = start.narrow(dimension, offset, size)
    return FrozenSlice(parameter, whole.dimension, indices.to(parameter.device), start.to(parameter.device))


def weight_slices(model: nn.Module, neurons: NeuronSet, down_column: bool = True) -> list[FrozenSlice]:
    """Return the slices of a model's weights and biases that belong to these neurons.

    Parameters
    ----------
    model : nn.Module
    neurons : NeuronSet
    down_column : bool
        Whether the columns of the down-projection are among them.
    """
    blocks = mlp_blocks(model)
    return [
        slice_of(parameter, tensor.axis, [tensor.offset + member for member in members])
        for layer, members in neurons.by_layer().items()
        # The down-projection is the last.
        for parameter, tensor in blocks[layer].parameters[: None if down_column else -1]
    ]


@torch.no_grad()
def restore(slices: Sequence[FrozenSlice]) -> None:
    """Put slices back to their start."""
    for part in slices:
        local(part.parameter).index_copy_(part.dimension, part.indices, part.start)


def verify(slices: Sequence[FrozenSlice]) -> FrozenReport:
    """Compare every slice with its start, bit for bit."""
    differences = [(part.now().double() - part.start.double()).abs().max().item() for part in slices]
    return FrozenReport(
        slices=sum(len(part.indices) for part in slices),
        max_abs_diff=max(differences, default=0.0),
        identical=all(torch.equal(part.now().view(torch.uint8), part.start.view(torch.uint8)) for part in slices),
    )


class FrozenNeurons:
    """Freezes slices of parameters from construction until :meth:`release`.

    Parameters
    ----------
    slices : sequence of FrozenSlice
        None of them changes nothing at all.
    """

    def __init__(self, slices: Sequence[FrozenSlice]) -> None:
        self._slices = tuple(slices)
        self._handles = [part.parameter.register_post_accumulate_grad_hook(_zeroing(part)) for part in self._slices]

    def restore(self) -> None:
        """Put the slices back; to be called after every optimiser step."""
        restore(self._slices)

    def verify(self) -> FrozenReport:
        """Compare every slice with its start, bit for bit."""
        return verify(self._slices)

    def release(self) -> None:
        """Let gradients through again; the values stay as they are."""
        for handle in self._handles:
            handle.remove()


def _zeroing(part: FrozenSlice):
    def hook(parameter: torch.Tensor) -> None:
        if parameter.grad is not None:
            local(parameter.grad).index_fill_(part.dimension, part.indices, 0.0)

    return hook
