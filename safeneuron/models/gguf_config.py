"""From the keys of a GGUF file to the config that transformers builds the model from.

Every key of the architecture is translated, or the file is refused: transformers' own reader passes over what it
does not know, such as the scaling of the rotary embedding, and another model opens without a word.
Keys are what llama.cpp's convert_hf_to_gguf.py writes; what it leaves out is what src/llama-model.cpp takes instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.gguf_header import ArrayLength, GGUFHeader
from safeneuron.models.layout import FAMILIES, MLPLayout, layout_of_config
from safeneuron.registry import discover

FIELDS = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
}
"""Config fields by key, in every family."""
RMS_NORM, LAYER_NORM = (
    {"attention.layer_norm_rms_epsilon": "rms_norm_eps"},
    {"attention.layer_norm_epsilon": "layer_norm_epsilon"},
)
LOCAL_THETA = "rope.freq_base_swa"
READ_HERE = (
    "feed_forward_length",
    "vocab_size",
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "tensor_data_layout",
)
"""Keys that become part of the config below, follow from the weights' shapes, or are remarks."""
NEUTRAL = {"expert_count": 0, "expert_used_count": 0, "attention.causal": True, "rope.scaling.attn_factor": 1.0}
"""Keys that change nothing while they have this value."""
TOKENS = {"bos_token_id": "bos_token_id", "eos_token_id": "eos_token_id", "padding_token_id": "pad_token_id"}
THETA = 10_000.0
"""Base of the rotary embedding where the file leaves it open."""


@dataclass(frozen=True)
class GGUFFamily:
    """How files of one architecture differ from the others.

    Parameters
    ----------
    model_type : str
        What transformers calls it.
    fields : dict
        Further config fields by key.
    norm : dict
        The key of the norms' epsilon, which a file has to say, and its config field.
    fixed : dict
        Config fields that no key states.
    rotary : bool
        Whether positions are rotary.
    partly_rotary : bool
        Whether ``rope.dimension_count`` may be less than a head's length.
    local_theta : bool
        Whether layers with a sliding window have a rotary embedding of their own, never scaled.
    wide_at : int
        The number of layers at which attention is scaled by ``width / heads`` and not by a head's length;
        0 where the config has no such scale. Gemma 2 27B and Gemma 3 27B, as in llama.cpp.
    """

    model_type: str
    fields: Mapping[str, str] = field(default_factory=dict)
    norm: Mapping[str, str] = field(default_factory=lambda: RMS_NORM)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    rotary: bool = True
    partly_rotary: bool = False
    local_theta: bool = False
    wide_at: int = 0


WINDOW = {"attention.sliding_window": "sliding_window"}
CAPS = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
OPENED = {
    "llama": GGUFFamily("llama"),
    "qwen2": GGUFFamily("qwen2"),
    "qwen3": GGUFFamily("qwen3"),
    "gemma2": GGUFFamily("gemma2", WINDOW | CAPS, wide_at=46),
    "gemma3": GGUFFamily("gemma3_text", WINDOW | CAPS, local_theta=True, wide_at=62),
    "phi3": GGUFFamily("phi3", WINDOW, partly_rotary=True),
    "gpt2": GGUFFamily("gpt2", {"context_length": "n_positions"}, LAYER_NORM, rotary=False),
    "falcon": GGUFFamily("falcon", {"attention.head_count_kv": "num_kv_heads"}, LAYER_NORM, {"multi_query": True}),
}
"""The architectures that transformers reads from GGUF and safeneuron knows the neurons of."""


def layout_of_header(path: Path, header: GGUFHeader) -> MLPLayout:
    """Return the layout of a file's architecture, or refuse one that is not opened from GGUF.

    Raises
    ------
    UserError
        When it has no dense MLP neurons, or transformers does not read it.
    """
    name = header.architecture
    config = {
        "model_type": OPENED[name].model_type if name in OPENED else name,
        "num_experts": header.facts.get(f"{name}.expert_count"),
    }
    if name not in OPENED and not any(kind.describes(config) for kind in discover(FAMILIES, "REFUSED")):
        raise UserError(
            f"{path} holds a model of the architecture {name!r}, which is not read from GGUF files; give the folder "
            f"with its safetensors, or a GGUF file of one of these: {', '.join(OPENED)}."
        )
    return layout_of_config(config)


def gguf_config(path: Path, header: GGUFHeader, tensors: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return a file's config, as ``config.json`` would hold it; needs neither torch nor transformers.

    Parameters
    ----------
    path : Path
        For messages.
    header : GGUFHeader
        Of the first piece, whose sizes the weights do not contradict (:mod:`safeneuron.models.gguf_check`).
    tensors : dict
        Shapes of all tensors by name.

    Raises
    ------
    UserError
        When a key says what cannot be passed on.
    """
    layout, family = layout_of_header(path, header), OPENED[header.architecture]
    said = _keys(header)
    fields = FIELDS | family.fields | family.norm
    for key, value in said.items():
        known = key in fields or key in READ_HERE or (key == LOCAL_THETA and family.local_theta)
        if isinstance(value, ArrayLength) or not (known or (key in NEUTRAL and value == NEUTRAL[key])):
            raise _not_passed_on(path, key, value)
    for key in family.norm:
        if key not in said:
            raise UserError(f"{path} does not say its {header.architecture}.{key}; fetch or convert it again.")
    width, heads = said["embedding_length"], said["attention.head_count"]
    head_dim = said.get("attention.key_length", width // heads)
    config = {
        "model_type": family.model_type,
        "vocab_size": tensors["token_embd.weight"][1],
        "tie_word_embeddings": "output.weight" not in tensors,
        layout.d_mlp: said["feed_forward_length"],
        **{name: header.facts.get(f"tokenizer.ggml.{key}") for key, name in TOKENS.items()},
        **{name: said[key] for key, name in fields.items() if key in said},
        **family.fixed,
    }
    if config.get("sliding_window") == 0:
        config["sliding_window"] = None
    if family.local_theta and not config.get("sliding_window"):
        config["layer_types"] = ["full_attention"] * said["block_count"]
    if family.wide_at:
        config["query_pre_attn_scalar"] = width // heads if said["block_count"] == family.wide_at else head_dim
    if family.rotary:
        config["rope_parameters"] = _rotary(path, family, said, head_dim)
    return config


def _keys(header: GGUFHeader) -> dict[str, Any]:
    """Return the keys of the architecture, without its name before them."""
    prefix = f"{header.architecture}."
    return {name.removeprefix(prefix): value for name, value in header.facts.items() if name.startswith(prefix)}


def _rotary(path: Path, family: GGUFFamily, said: Mapping[str, Any], head_dim: int) -> dict[str, Any]:
    """Return what transformers calls ``rope_parameters``."""
    found = {"rope_type": "default", "rope_theta": said.get("rope.freq_base", THETA)}
    # llama.cpp takes a factor without a type for a linear one.
    kind, factor = said.get("rope.scaling.type", "linear"), said.get("rope.scaling.factor") or 1.0
    if kind not in ("none", "linear", "yarn"):
        raise _not_passed_on(path, "rope.scaling.type", kind)
    if kind != "none" and factor != 1:
        found |= {"rope_type": kind, "factor": factor}
    if found["rope_type"] == "yarn":
        before = said.get("rope.scaling.original_context_length")
        if not before:
            raise _not_passed_on(path, "rope.scaling.type", "yarn, and no original_context_length,")
        found["original_max_position_embeddings"] = before
    rotated = said.get("rope.dimension_count", head_dim)
    if rotated != head_dim:
        if not family.partly_rotary:
            raise _not_passed_on(path, "rope.dimension_count", rotated)
        found["partial_rotary_factor"] = rotated / head_dim
    if family.local_theta:
        local = {"rope_type": "default", "rope_theta": said.get(LOCAL_THETA, THETA)}
        return {"sliding_attention": local, "full_attention": found}
    return found


def _not_passed_on(path: Path, key: str, value: Any) -> UserError:
    what = "a list" if isinstance(value, ArrayLength) else value
    return UserError(
        f"{path} says {key} = {what}, which transformers does not read from a GGUF file, so another model would open; "
        "give the folder with its safetensors."
    )
