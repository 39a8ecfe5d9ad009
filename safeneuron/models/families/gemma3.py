"""Gemma 3, text only: Llama's names; a further norm follows the down-projection, which ablation comes before."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(
    LLAMA,
    model_types=("gemma3_text",),
    activation="hidden_activation",
    bias=False,
    tied=True,
    mlp_norm="post_feedforward_layernorm",
)
