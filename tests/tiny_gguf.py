"""Tiny models as GGUF files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

ARCHITECTURES = {"gemma3_text": "gemma3", "mistral": "llama"}
"""What llama.cpp calls a family, where it is not transformers' name."""
NORMS_PLUS_ONE = ("gemma2", "gemma3")
TRANSPOSED = ("attn_qkv.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight")
"""Of GPT-2, whose weights transformers keep the other way round."""


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """Reorder the rows of a query or key projection as llama.cpp stores them."""
    half = weights.shape[0] // heads // 2
    return weights.reshape(heads, 2, half, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def as_stored(family: str, name: str, values: np.ndarray, config: Any) -> np.ndarray:
    """Return a weight as llama.cpp's converter stores it."""
    if family == "llama" and ".attn_q." in name:
        return permuted(values, config.num_attention_heads)
    if family == "llama" and ".attn_k." in name:
        return permuted(values, config.num_key_value_heads)
    if family in NORMS_PLUS_ONE and name.endswith("norm.weight"):
        return values + 1
    if family == "gpt2" and name.endswith(TRANSPOSED):
        return np.ascontiguousarray(values.T)
    return values


def add_sizes(writer: gguf.GGUFWriter, family: str, config: Any) -> None:
    """Write the keys that llama.cpp's converter writes for a family."""
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(heads)
    writer.add_vocab_size(config.vocab_size)
    if family == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    if family == "falcon":
        writer.add_feed_forward_length(config.ffn_hidden_size)
        writer.add_head_count_kv(1)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(int(head_dim * rope.get("partial_rotary_factor", 1)))
    if family in ("qwen3", *NORMS_PLUS_ONE) or head_dim != config.hidden_size // heads:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if family in ("phi3", *NORMS_PLUS_ONE) and "sliding_attention" in getattr(
        config, "layer_types", ["sliding_attention"]
    ):
        writer.add_sliding_window(config.sliding_window or 0)
    if family == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def add_tokenizer(writer: gguf.GGUFWriter, loaded: "LoadedModel") -> None:
    """Write the tokenizer."""
    vocabulary = sorted(loaded.tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_tokenizer_model("gpt2")
    # A file has to hold some merge, and what it makes has to be a token: it takes the last one's place.
    writer.add_token_list([text for text, _ in vocabulary[:-1]] + ["ab"])
    writer.add_token_types([3 if number < 3 else 1 for _, number in vocabulary])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template(loaded.tokenizer.chat_template)


def write_gguf(
    loaded: "LoadedModel",
    path: Path,
    arch: str | None = None,
    keys: Mapping[str, int | float | str] | None = None,
    tensors: Mapping[str, np.ndarray] | None = None,
    **split: Any,
) -> None:
    """Write a tiny model as llama.cpp's converter would, in 32 bits, with further keys and tensors."""
    config, state = loaded.model.config, loaded.model.state_dict()
    family = ARCHITECTURES.get(config.model_type, config.model_type)
    writer = gguf.GGUFWriter(path, arch or family, **split)
    add_sizes(writer, family, config)
    add_tokenizer(writer, loaded)
    write = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, bool: writer.add_bool}
    for key, value in (keys or {}).items():
        write[type(value)](f"{arch or family}.{key}", value)
    (number,) = (number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == family)
    names = gguf.get_tensor_name_map(number, config.num_hidden_layers)
    if config.tie_word_embeddings:
        del state["lm_head.weight"]
    for name, tensor in state.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(stored, as_stored(family, stored, tensor.numpy().astype(np.float32), config))
    for name, values in (tensors or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
