"""Mixtures of experts: which neurons a token meets is chosen token by token."""

from safeneuron.models.layout import Refused

REFUSED = Refused(
    model_types=(
        "dbrx",
        "deepseek_v2",
        "deepseek_v3",
        "ernie4_5_moe",
        "glm4_moe",
        "gpt_oss",
        "granitemoe",
        "jetmoe",
        "llama4",
        "llama4_text",
        "minimax",
        "mixtral",
        "olmoe",
        "phimoe",
        "qwen2_moe",
        "qwen3_moe",
        "qwen3_next",
    ),
    # What a config leaves out stands for a default, so the types above are named as well.
    fields=("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts"),
    reason="it is a mixture of experts, which has no dense MLP neurons, since a few experts are chosen for each token",
)
