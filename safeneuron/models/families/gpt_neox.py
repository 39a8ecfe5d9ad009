"""GPT-NeoX and Pythia: a plain MLP, usually beside the attention instead of after it."""

from safeneuron.models.layout import MLPLayout

LAYOUT = MLPLayout(
    model_types=("gpt_neox",),
    layers="gpt_neox.layers",
    up="mlp.dense_h_to_4h",
    down="mlp.dense_4h_to_h",
    final_norm="gpt_neox.final_layer_norm",
)
