"""Qwen3 (dense): Llama's names and MLP."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(LLAMA, model_types=("qwen3",), bias=False)
