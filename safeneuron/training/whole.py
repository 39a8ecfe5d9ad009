"""A model that several processes train, put together again: at the end, and for what is measured meanwhile."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from peft import get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from torch.distributed.tensor import DTensor

from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.training.lora import lora_config
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.watching import refusals_while_training


def gathered(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return what was trained, whole, on the CPU, by name; all processes have to ask at the same time.

    Of a model with adapters those alone; parameters that are tied have one name.
    """
    adapted = any(isinstance(module, BaseTunerLayer) for module in model.modules())
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or not adapted:
            whole = parameter.detach()
            whole = whole.full_tensor() if isinstance(whole, DTensor) else whole
            found[name] = whole.cpu().contiguous()
    return found


@torch.no_grad()
def fill(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put what was :func:`gathered` into a model, the weights or the adapters that it has now."""
    parameters = dict(model.named_parameters())
    for name, values in weights.items():
        parameters[name].copy_(values)


class WholeModel:
    """The model as it is at any step, whole, in the main one of the processes that train it.

    A second copy, on the CPU: the processes have shards of the model on their GPUs, none of which has room for all of
    it, and hooks on their forward pass.

    Parameters
    ----------
    loaded : LoadedModel
        Whose model is trained, before the trainer has it.
    settings : MaskedDPOSettings
    main_process : bool
    """

    def __init__(self, loaded: LoadedModel, settings: MaskedDPOSettings, main_process: bool) -> None:
        self._trained = loaded
        self._copy: LoadedModel | None = None
        if main_process:
            self._copy = replace(loaded, model=copy.deepcopy(loaded.model))
            adapter = lora_config(self._copy.model, settings)
            if adapter:
                # Its weights are drawn, and then replaced; the training's own have to be those that they would be.
                with torch.random.fork_rng(devices=[]):
                    get_peft_model(self._copy.model, adapter)

    def refusals(self, sets: Mapping[str, NeuronSet]) -> dict[str, float]:
        """Return :func:`refusals_while_training` in the main process, nothing in the others; all have to ask."""
        weights = gathered(self._trained.model)
        if self._copy is None:
            return {}
        fill(self._copy.model, weights)
        return refusals_while_training(self._copy, sets)
