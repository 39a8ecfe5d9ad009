"""OLMo 2: Llama's names; the norm follows the down-projection, which ablation comes before."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(LLAMA, model_types=("olmo2",), bias=False, mlp_norm="post_feedforward_layernorm")
