"""Granite (dense): Llama's names; what the MLP writes is scaled by a constant."""

from dataclasses import replace

from safeneuron.models.families.llama import LAYOUT as LLAMA

LAYOUT = replace(LLAMA, model_types=("granite",))
