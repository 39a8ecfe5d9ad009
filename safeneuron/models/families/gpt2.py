"""GPT-2: a plain MLP of ``Conv1D`` modules, which are linear layers with the weight transposed."""

from safeneuron.models.layout import MLPLayout

LAYOUT = MLPLayout(
    model_types=("gpt2",),
    layers="transformer.h",
    up="mlp.c_fc",
    down="mlp.c_proj",
    transposed=True,
    d_mlp="n_inner",
    final_norm="transformer.ln_f",
)
