"""Llama, whose module names many families kept: a gated MLP, ``down(act(gate(x)) * up(x))``."""

from safeneuron.models.layout import MLPLayout

LAYOUT = MLPLayout(
    model_types=("llama",),
    layers="model.layers",
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
    bias="mlp_bias",
)
