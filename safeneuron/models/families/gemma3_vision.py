"""Gemma 3 with a vision tower: its language model is Gemma 3's, and text prompts never meet the tower."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(
    LLAMA,
    model_types=("gemma3",),
    layers="model.language_model.layers",
    mlp_norm="post_feedforward_layernorm",
    final_norm="model.language_model.norm",
)
