"""State-space and other recurrent models, alone or mixed with attention."""

from safeneuron.models.layout import Refused

REFUSED = Refused(
    model_types=("bamba", "falcon_h1", "falcon_mamba", "jamba", "mamba", "mamba2", "recurrent_gemma", "rwkv", "zamba"),
    fields=("ssm_cfg", "ssm_state_size", "state_size", "mamba_d_state", "mamba_d_ssm"),
    reason="it is made of recurrent (state-space) blocks, and only transformers with a dense MLP in every layer open",
)
