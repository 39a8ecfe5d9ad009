"""Tiny models with random weights, built in memory from their families' configs in milliseconds.

PyTorch and transformers are imported where they are needed: many tests need neither.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from safeneuron.models.loaded import LoadedModel

FAMILIES = ("llama", "mistral", "qwen2")
"""Those that every test of the core runs on; tests/models/test_families.py runs the exact ones on all."""
LAYERS, WIDTH, HIDDEN = 3, 40, 32
OWN_SETTINGS = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "phi3", "olmo2", "smollm3", "granite"), {"num_key_value_heads": 2}),
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8},
    "opt": {"init_std": 0.25},
}
"""What only some families' configs have."""
OWN_SETTINGS["gemma3"] = OWN_SETTINGS["gemma3_text"]
OTHER_PARTS = {
    "gemma3": {
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        "mm_tokens_per_image": 1,
    }
}
"""Of families whose language model is one part among others, what those are built from."""

CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)

SLIDING = {"sliding_window": 16}
"""Shorter than every prompt, so that the window matters."""

CASES = {
    "Llama": ("llama", {}),
    "Llama with biases": ("llama", {"mlp_bias": True, "attention_bias": True}),
    "Mistral": ("mistral", SLIDING),
    "Qwen2": ("qwen2", {"use_sliding_window": True, "max_window_layers": 1} | SLIDING),
    "Qwen3": ("qwen3", {}),
    "Gemma 2": ("gemma2", SLIDING),
    "Gemma 3": ("gemma3_text", {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]} | SLIDING),
    "Gemma 3 with vision": ("gemma3", SLIDING),
    "Phi-3": ("phi3", {}),
    "Phi-4-mini": ("phi3", {"partial_rotary_factor": 0.5, "tie_word_embeddings": True} | SLIDING),
    "OLMo 2": ("olmo2", {}),
    "SmolLM3": ("smollm3", {"no_rope_layers": [1, 0, 1]}),
    "Granite": (
        "granite",
        {"embedding_multiplier": 4.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2, "logits_scaling": 2.0},
    ),
    "GPT-2": ("gpt2", {}),
    "GPT-2 with n_inner left open": ("gpt2", {"n_inner": None, "hidden_size": 16}),
    "Pythia": ("gpt_neox", {}),
    "GPT-NeoX, not parallel": ("gpt_neox", {"use_parallel_residual": False}),
    "OPT": ("opt", {}),
    "OPT-350m": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "Falcon-7B": ("falcon", {}),
    "Falcon-40B": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "Falcon-RW": ("falcon", {"alibi": True, "parallel_attn": False, "multi_query": False, "bias": True}),
}
"""Every family, and the variants within families, with what only their configs have."""


def save_tokenizer(folder: Path) -> None:
    """Write a byte-level tokenizer with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {text: number for number, text in enumerate(["<pad>", "<s>", "</s>"])}
    vocabulary |= {text: number for number, text in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()), start=3)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=CHAT_TEMPLATE
    )
    tokenizer.save_pretrained(folder)


def tiny_model(
    tokenizer: "PreTrainedTokenizerBase",
    family: str,
    seed: int = 0,
    dtype: "torch.dtype | None" = None,
    **overrides: Any,
) -> "LoadedModel":
    """Return a new tiny model of a family, in float32 unless told otherwise; ``overrides`` go into its config."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from safeneuron.models.card import ModelCard
    from safeneuron.models.layout import layout_of, layout_of_config
    from safeneuron.models.loaded import LoadedModel

    torch.set_num_threads(1)
    dtype = dtype or torch.float32
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        layout_of_config({"model_type": family}).d_mlp: WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        # Wide enough that activations and logits differ clearly between neurons and tokens.
        "initializer_range": 0.25,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings |= OWN_SETTINGS.get(family, {}) | overrides
        if family in OTHER_PARTS:
            settings = {"text_config": settings} | OTHER_PARTS[family]
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings))
        # Transformers makes every bias zero, and so no error in one would show.
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.25)
    model = model.to(dtype).eval()
    if dtype == torch.float64:
        model.model.rotary_emb = _exact_rotary_embedding(model.model.rotary_emb)
    layers, width = layout_of(model).shape(model.config)
    card = ModelCard(
        source=f"./tiny-{family}",
        title=f"tiny {family}",
        fingerprint=f"tiny-{family}-{seed}-{dtype}",
        n_layers=layers,
        d_mlp=width,
        origin="Random weights, made by the tests.",
        ready=True,
    )
    return LoadedModel(card=card, model=model, tokenizer=tokenizer)


def _exact_rotary_embedding(original: Any) -> Any:
    """Return the rotary embedding in float64.

    Transformers computes angles in float32 whatever the model's dtype, so that positions shifted by
    left padding differ by some 1e-7 and hide what float64 is there to show.
    """
    import torch

    class Exact(torch.nn.Module):
        def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            angles = position_ids[..., None].double() * original.inv_freq.double()
            both = torch.cat([angles, angles], dim=-1)
            return both.cos() * original.attention_scaling, both.sin() * original.attention_scaling

    return Exact()
