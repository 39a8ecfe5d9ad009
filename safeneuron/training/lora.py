"""Masked DPO with LoRA: adapters on chosen modules that cannot change the frozen neurons.

LoRA (Hu et al. 2021, arXiv 2106.09685) adds B A to a weight. Row j of B A is zero where row j of B is, column j
where column j of A is. So of the gate and up projections the frozen neurons' rows of B, which starts at zero, stay
there; of the down-projection their columns of A are set to zero before the first step and stay there. Merging then
adds exact zeros to every frozen slice.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.layout import decoder_layers, layout_of
from safeneuron.models.parameters import config_of
from safeneuron.neurons import NeuronSet
from safeneuron.training.frozen import FrozenSlice, slice_of
from safeneuron.training.settings import MaskedDPOSettings


def lora_config(model: PreTrainedModel, settings: MaskedDPOSettings) -> LoraConfig | None:
    """Return the adapter that the settings ask for, or None where they train the weights themselves.

    Raises
    ------
    UserError
        When the model's layers have no module of a name that was chosen.
    """
    if not settings.lora_rank:
        return None
    layout = layout_of(model)
    names = "|".join(map(re.escape, _chosen(model, settings)))
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        # Only of the language model's layers: a vision tower may have modules of the same names.
        target_modules=rf"{re.escape(layout.layers)}\.\d+\.(?:.*\.)?(?:{names})",
        fan_in_fan_out=layout.transposed,
        task_type="CAUSAL_LM",
    )


def check_modules(card: ModelCard, settings: MaskedDPOSettings) -> None:
    """Refuse modules that the model does not have, as its config tells; one that is not here yet tells in the run.

    Raises
    ------
    UserError
        When the model's layers have no module of a name that was chosen.
    """
    config = dict(config_of(card) or {})
    if config:
        # Without memory for its weights: only the modules' names are asked for.
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(config.pop("model_type"), **config))
        _chosen(model, settings)


def _chosen(model: PreTrainedModel, settings: MaskedDPOSettings) -> Sequence[str]:
    known = linear_modules(model)
    unknown = [name for name in settings.lora_modules if name not in known]
    if unknown:
        raise UserError(
            f"The model's layers have no linear module {', '.join(unknown)}; choose among {', '.join(known)}."
        )
    return settings.lora_modules or known


def linear_modules(model: PreTrainedModel) -> list[str]:
    """Return the names of the linear modules in the model's layers, such as ``q_proj``."""
    return list(
        dict.fromkeys(
            name.rpartition(".")[2]
            for layer in decoder_layers(model)
            for name, module in layer.named_modules()
            if isinstance(module, nn.Linear | Conv1D)
        )
    )


@torch.no_grad()
def lora_slices(model: PreTrainedModel, neurons: NeuronSet, down_column: bool = True) -> list[FrozenSlice]:
    """Set the frozen neurons' parts of the adapters to zero, and return them.

    Parameters
    ----------
    model : PreTrainedModel
        With new adapters in it.
    neurons : NeuronSet
    down_column : bool
        Whether the columns of the down-projection are frozen.
    """
    layout, layers = layout_of(model), decoder_layers(model)
    *reading, writing = layout.tensors(neurons.shape[1])
    found = []
    for layer, members in neurons.by_layer().items():
        for tensor in (*reading, *([writing] if down_column else [])):
            module = layers[layer].get_submodule(tensor.name.rpartition(".")[0])
            if not (tensor.name.endswith(".weight") and isinstance(module, LoraLayer)):
                continue
            factors, dimension = (module.lora_A, 1) if tensor is writing else (module.lora_B, 0)
            for factor in factors.values():
                part = slice_of(factor.weight, dimension, [tensor.offset + member for member in members])
                factor.weight.index_fill_(dimension, part.indices, 0.0)
                part.start.zero_()
                found.append(part)
    return found


@contextmanager
def taken_off(model: PreTrainedModel) -> Iterator[None]:
    """Take off whatever adapters were put on the model while the block ran, and let its weights be trained again."""
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    hooks = model.get_input_embeddings()._forward_hooks
    before = set(hooks)
    try:
        yield
    finally:
        for name, module in list(model.named_modules()):
            if isinstance(module, BaseTunerLayer):
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, module.get_base_layer())
        vars(model).pop("peft_config", None)
        model.disable_input_require_grads()
        # With gradient checkpointing TRL and then transformers have put a hook there, and only the second is known.
        for key in set(hooks) - before:
            del hooks[key]
        for parameter, requires_grad in trained:
            parameter.requires_grad_(requires_grad)
