"""Llama and the families that kept its module names: a gated MLP, ``down(act(gate(x)) * up(x))``."""

from safeneuron.models.layout import MLPLayout

LAYOUT = MLPLayout(
    model_types=("llama", "mistral", "qwen2"),
    layers="model.layers",
    final_norm="model.norm",
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
)
