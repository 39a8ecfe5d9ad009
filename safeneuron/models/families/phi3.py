"""Phi-3 and Phi-4: Llama's names, with gate and up fused into one matrix."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(LLAMA, model_types=("phi3",), gate="mlp.gate_up_proj", up="mlp.gate_up_proj", fused=True, bias=False)
