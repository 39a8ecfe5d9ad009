"""OPT: a plain MLP whose two projections lie directly in the layer."""

from safeneuron.models.layout import MLPLayout

LAYOUT = MLPLayout(
    model_types=("opt",),
    layers="model.decoder.layers",
    up="fc1",
    down="fc2",
    d_mlp="ffn_dim",
    final_norm="model.decoder.final_layer_norm",
    projection="model.decoder.project_out",
)
