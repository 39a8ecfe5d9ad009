"""Qwen2 and Qwen2.5: Llama's names and MLP."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(LLAMA, model_types=("qwen2",), bias=False)
