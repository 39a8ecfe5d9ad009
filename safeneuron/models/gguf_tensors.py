"""Whether every tensor of a GGUF file has a place in the model that transformers builds for it.

Transformers' reader drops those that have none, and another model opens without a word. One of them is known here:
``rope_freqs.weight``, in which llama.cpp keeps the rotary embedding's scaling of Llama 3.1, 3.2 and 3.3.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, get_gguf_hf_weights_map
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from safeneuron.errors import UserError
from safeneuron.models.gguf_header import GGUFHeader, read_header

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

ROPE_FACTORS = "rope_freqs.weight"
"""What each frequency of the rotary embedding is divided by, float32, half as many as a head is long."""
LLAMA3 = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""What every released Llama with scaled frequencies has; its factor is 8 (3.1, 3.3) or 32 (3.2)."""


def config_of(file: Path, settings: dict[str, Any], origin: Path) -> "PreTrainedConfig":
    """Return the config for a GGUF file, completed by its tensors, or refuse what would be dropped.

    Parameters
    ----------
    file : Path
        The whole model in one file.
    settings : dict
        What its keys say (:mod:`safeneuron.models.gguf_config`).
    origin : Path
        The file's name in messages.

    Raises
    ------
    UserError
        When a tensor has no place in the model, or is scaling of a kind that is not known.
    """
    header, settings = read_header(file), dict(settings)
    model_type = settings.pop("model_type")
    config = AutoConfig.for_model(model_type, **settings)
    names = {tensor.name for tensor in header.tensors}
    if ROPE_FACTORS in names and model_type == "llama":
        names.remove(ROPE_FACTORS)
        _scale(config, _values(file, header), origin)
    # Without memory for its weights: only their names are asked for.
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    processor = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)(config=config.to_dict())
    for name in sorted(names - set(get_gguf_hf_weights_map(model, processor))):
        raise UserError(
            f"{origin} holds {name}, which has no place in a {header.architecture!r} model as transformers reads it, "
            "so another model would open; give the folder with its safetensors."
        )
    return config


def _values(file: Path, header: GGUFHeader) -> torch.Tensor:
    """Return the factors of the rotary embedding."""
    (tensor,) = (tensor for tensor in header.tensors if tensor.name == ROPE_FACTORS)
    with file.open("rb") as stream:
        stream.seek(header.data_start + tensor.offset)
        return torch.frombuffer(bytearray(stream.read(tensor.nbytes)), dtype=torch.float32)


def _scale(config: "PreTrainedConfig", factors: torch.Tensor, origin: Path) -> None:
    """Scale the rotary embedding in transformers' words, and see that these divide each frequency by its factor."""
    plain = config.rope_parameters
    config.rope_parameters = {"rope_theta": plain["rope_theta"], "factor": float(factors.max())} | LLAMA3
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    unscaled = plain["rope_theta"] ** -(torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim)
    same = factors.shape == unscaled.shape and torch.allclose(frequencies, unscaled / factors, rtol=1e-5, atol=0.0)
    if plain["rope_type"] != "default" or not same:
        raise UserError(
            f"{origin} scales its rotary embedding ({ROPE_FACTORS}) in another way than Llama 3.1, 3.2 and 3.3, "
            "so another model would open; give the folder with its safetensors."
        )
