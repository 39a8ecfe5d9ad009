"""The prompts on which a neuron is most and least active."""

from dataclasses import dataclass

import numpy as np

from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron

COUNT = 4
"""Prompts at either end."""


@dataclass(frozen=True)
class PromptActivation:
    """One prompt and the neuron's pooled activation on it.

    Parameters
    ----------
    prompt : str
    kind : str
        harmful or benign.
    activation : float
    """

    prompt: str
    kind: str
    activation: float


@dataclass(frozen=True)
class Extremes:
    """Both ends of the prompts, the outermost first; no prompt is at both."""

    most: tuple[PromptActivation, ...]
    least: tuple[PromptActivation, ...]


def extremes(records: Records, neuron: Neuron, count: int = COUNT) -> Extremes:
    """Return the prompts of both classes with the highest and the lowest activation."""
    found = [
        PromptActivation(prompt, kind, float(value))
        for kind, record in (("harmful", records.harmful), ("benign", records.benign))
        for prompt, value in zip(record.prompts, record.neuron(*neuron), strict=True)
    ]
    # Stable, so that equal activations keep the order of the prompts.
    order = np.argsort([-one.activation for one in found], kind="stable")
    ends = min(count, len(found) // 2)
    most, least = order[:ends], order[::-1][:ends]
    return Extremes(*(tuple(found[row] for row in rows) for rows in (most, least)))
