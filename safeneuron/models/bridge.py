"""TransformerBridge beside the plain model: reading and zeroing what TransformerLens has names for.

The bridge rewrites the modules of the model that it is given, so it is given a copy of the modules
that shares every weight with the original. The weights are thus in memory once, but for those that
the bridge splits for itself (fused attention or gate and up projections). The tokenizer is copied as
well: the bridge makes EOS the BOS of one that has none, which chat templates would then write.
"""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from safeneuron.models.batches import is_out_of_memory
from safeneuron.models.layout import layout_of
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


class BridgeMissing(Exception):
    """TransformerBridge is no measure of this model; the message says why."""


@dataclass(frozen=True)
class Bridge:
    """TransformerBridge over the weights of a loaded model, which stays as it is.

    Parameters
    ----------
    architecture : str
        Class of the model.
    bridge : TransformerBridge
    """

    architecture: str
    bridge: "TransformerBridge"

    def run(
        self,
        batch: Mapping[str, torch.Tensor],
        names: Sequence[str] = (),
        off: NeuronSet | None = None,
        last: int | None = None,
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Run a padded batch, and read hooks on the way.

        Parameters
        ----------
        batch : mapping
            As :func:`safeneuron.models.chat.pad` makes it, ``[n, tokens]``.
        names : sequence of str
            Hooks with a vector a token, in TransformerLens' names, such as ``blocks.0.hook_resid_post``.
        off : NeuronSet or None
            Neurons whose ``blocks.{l}.mlp.hook_post`` is set to 0.
        last : int or None
            Keep what was read of so many tokens at the end of every row only.

        Returns
        -------
        found : dict
            By name, ``[n, tokens, width]``.
        logits : torch.Tensor
            ``[n, tokens, vocabulary]``.

        Raises
        ------
        BridgeMissing
            When TransformerLens fails on this model, or has no such hook in it.
        """
        inputs = dict(batch)
        ids = inputs.pop("input_ids")
        found: dict[str, torch.Tensor] = {}

        # The name is bound here: hooks are called with that of which `hook_post` is an alias.
        def keeping(name: str):
            def keep(value: torch.Tensor, hook) -> None:
                value = value.reshape(*ids.shape, -1)
                found[name] = value[:, -last:].clone() if last else value

            return keep

        def zeroing(indices: list[int]):
            def zero(value: torch.Tensor, hook) -> torch.Tensor:
                value = value.clone()
                value[..., indices] = 0.0
                return value

            return zero

        keeps = [(name, keeping(name)) for name in names]
        zeros = [(_post(layer), zeroing(indices)) for layer, indices in off.by_layer().items()] if off else []
        with _asked(self.architecture):
            logits = self.bridge.run_with_hooks(ids, **inputs, fwd_hooks=zeros + keeps)
        missing = [name for name in names if name not in found]
        if missing:
            raise BridgeMissing(f"TransformerLens' bridge of {self.architecture} never reads {missing[0]}")
        return found, logits


def bridge_of(loaded: LoadedModel) -> Bridge:
    """Return a bridge over the model's weights.

    Whoever asks holds the model's lock until the last run: a copy would keep the hooks of another's ablation, and
    the self-check changes the weights themselves for a moment.

    Raises
    ------
    BridgeMissing
        When TransformerLens cannot be imported, does not know the architecture, fails on this model, or is known to
        compute it wrongly.
    """
    architecture = type(loaded.model).__name__
    with _asked(architecture):
        from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES
        from transformer_lens.model_bridge import TransformerBridge
        from transformer_lens.model_bridge.sources.transformers import source

    # For a model that also sees, it would look for an image processor on the hub and install torchvision with
    # pip, which brings another torch along; no text prompt needs either.
    source.load_modality_processor = lambda *_: None
    logging.getLogger("transformer_lens").setLevel(logging.ERROR)
    if architecture not in SUPPORTED_ARCHITECTURES:
        raise BridgeMissing(f"TransformerLens has no bridge for {architecture}")
    for field, error in layout_of(loaded.model).bridge_errors:
        if getattr(loaded.model.config, field):
            raise BridgeMissing(error)
    copied = module_copy(loaded.model)
    # A model that was built in memory does not say this in its config, and the bridge asks for it.
    copied.config.architectures = [architecture]
    with _asked(architecture):
        bridge = TransformerBridge.boot_transformers(
            copied.config._name_or_path,
            hf_model=copied,
            tokenizer=copy.deepcopy(loaded.tokenizer),
            device=str(loaded.device),
        )
    return Bridge(architecture, bridge)


def bridge_run(
    loaded: LoadedModel, neurons: NeuronSet, batch: Mapping[str, torch.Tensor]
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return what the bridge reads and computes on a padded batch.

    Returns
    -------
    activations : list of torch.Tensor
        ``blocks.{l}.mlp.hook_post`` of every layer without ablation, ``[n, tokens, d_mlp]``.
    logits : torch.Tensor
        With the neurons zeroed, ``[n, tokens, vocabulary]``.

    Raises
    ------
    BridgeMissing
        See :func:`bridge_of`.
    """
    bridge = bridge_of(loaded)
    names = [_post(layer) for layer in range(loaded.shape[0])]
    found, _ = bridge.run(batch, names)
    _, logits = bridge.run(batch, off=neurons)
    return [found[name] for name in names], logits


def bridge_computes(loaded: LoadedModel, batch: Mapping[str, torch.Tensor]) -> bool:
    """Return whether the bridge computes a model at all, where no neuron of ours is asked for."""
    try:
        bridge_of(loaded).run(batch)
    except BridgeMissing:
        return False
    return True


@contextmanager
def _asked(architecture: str) -> Iterator[None]:
    """Turn whatever the bridge stumbles over into the reason why there is no comparison, but not a lack of memory."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or ["no message"])[0]
        raise BridgeMissing(
            f"TransformerLens' bridge fails on this {architecture} ({type(error).__name__}: {first})"
        ) from error


def module_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model's modules and config that shares the memory of every weight and buffer."""
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in model.parameters()}
    shared |= {id(buffer): buffer.detach() for buffer in model.buffers()}
    return copy.deepcopy(model, shared)


def _post(layer: int) -> str:
    return f"blocks.{layer}.mlp.hook_post"
