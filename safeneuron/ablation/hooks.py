"""The intervention: an ablation on a model in memory, for as long as a ``with`` block lasts.

Multiplying coordinate j of the down-projection's input by 0 equals zeroing column j of its weight
(SafeNeuron's neuron pruning, arXiv 2602.12158 section 4.1). Nothing here can write the ablated model
anywhere.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from safeneuron.ablation.specification import Ablated, Edit, as_ablation
from safeneuron.errors import UserError
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel

Hook = Callable[[nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]


class Intervention:
    """An ablation made ready for one model, to be put on it again and again: for every token of an answer, say.

    Parameters
    ----------
    loaded : LoadedModel
    ablated : Ablation, NeuronSet or None
        A set alone is zeroed; None or an empty set leaves the model as it is (ORI).

    Raises
    ------
    UserError
        When the set belongs to a model of another shape.
    """

    def __init__(self, loaded: LoadedModel, ablated: Ablated) -> None:
        self._loaded = loaded
        self._everywhere = getattr(as_ablation(ablated), "positions", "all") == "all"
        self._hooks = _hooks(loaded.model, ablated)

    @contextmanager
    def on(self, generated: bool = False) -> Iterator[None]:
        """Ablate the neurons while the block runs; the hooks go whatever happens inside it.

        The model is locked for the duration, so that nobody else computes under these hooks.

        Parameters
        ----------
        generated : bool
            Whether the block computes tokens that the model generated. An ablation of generated positions
            only does nothing in any other block.
        """
        with self._loaded.lock:
            handles = _put_on(self._hooks) if generated or self._everywhere else []
            try:
                yield
            finally:
                for handle in handles:
                    handle.remove()


@contextmanager
def ablate(loaded: LoadedModel, ablated: Ablated, generated: bool = False) -> Iterator[None]:
    """Ablate the neurons while the block runs; see :class:`Intervention`."""
    with Intervention(loaded, ablated).on(generated):
        yield


def add_hooks(model: nn.Module, ablated: Ablated) -> list[torch.utils.hooks.RemovableHandle]:
    """Put the ablation on a bare model, at all positions, and return the handles that take it off again."""
    return _put_on(_hooks(model, ablated))


@contextmanager
def lifted(model: nn.Module) -> Iterator[None]:
    """Take every ablation off the model while the block runs, whoever put it on, and put it back afterwards."""
    places = [block.down for block in mlp_blocks(model)]
    kept = [place._forward_pre_hooks for place in places]
    for place in places:
        # Another mapping, and not another content: handles remove their hook from the one that they know.
        place._forward_pre_hooks = OrderedDict()
    try:
        yield
    finally:
        for place, hooks in zip(places, kept, strict=True):
            place._forward_pre_hooks = hooks


def _put_on(hooks: list[tuple[nn.Module, Hook]]) -> list[torch.utils.hooks.RemovableHandle]:
    return [down.register_forward_pre_hook(hook) for down, hook in hooks]


def _hooks(model: nn.Module, ablated: Ablated) -> list[tuple[nn.Module, Hook]]:
    """Return each down-projection whose input is edited, with the hook that edits it."""
    ablation = as_ablation(ablated)
    if ablation is None:
        return []
    blocks = mlp_blocks(model)
    shape, neurons = (len(blocks), blocks[0].d_mlp), ablation.neurons
    if neurons.shape != shape:
        raise UserError(
            f"The set {neurons.name} is of a model with {neurons.shape[0]} layers of {neurons.shape[1]} neurons, "
            f"this one has {shape[0]} of {shape[1]}; choose a set of this model."
        )
    return [
        (blocks[layer].down, _editing(edit, shape[1], blocks[layer].down.weight.device))
        for layer, edit in ablation.edits().items()
    ]


def _editing(edit: Edit, width: int, device: torch.device) -> Hook:
    scale = torch.ones(width, device=device)
    scale[list(edit.indices)] = edit.multiplier
    shift = None
    if any(edit.addends):
        shift = torch.zeros(width, device=device)
        shift[list(edit.indices)] = torch.tensor(edit.addends, device=device)

    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        # In the activations' type and not the weights': those of 4-bit models are bytes, in which 0.5 is 0.
        edited = inputs[0] * scale.to(inputs[0].dtype)
        if shift is not None:
            edited = edited + shift.to(inputs[0].dtype)
        return (edited, *inputs[1:])

    return hook
