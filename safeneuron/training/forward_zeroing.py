"""Algorithm 1's second half: the frozen neurons are silent while the policy learns (arXiv 2602.12158, App. D).

So the rest of the network has to learn to refuse without them. What it learns adds to what the neurons still do in
the model as it is used, which then refuses too much; steps in between without the zeroing teach both together.
"""

from math import floor

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safeneuron.ablation.hooks import add_hooks
from safeneuron.neurons import NeuronSet


class ForwardZeroing(TrainerCallback):
    """Zero a set's activations in a model's forward passes of some optimiser steps, and in nothing else.

    Parameters
    ----------
    model : nn.Module
    neurons : NeuronSet
    share : float
        Share of the steps, spread evenly and known from a step's number alone, so that a resumed training has the
        same ones; 1 is every step, as in the paper.
    """

    def __init__(self, model: nn.Module, neurons: NeuronSet, share: float = 1.0) -> None:
        self._model = model
        self._neurons = neurons
        self._share = share
        self._handles = []

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Put the hooks on, if it is this step's turn."""
        if zeroed(state.global_step, self._share):
            self._handles = add_hooks(self._model, self._neurons)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Take them off before anything else looks at the model."""
        self.release()

    def release(self) -> None:
        """Take the hooks off, whatever ended the step."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def zeroed(step: int, share: float) -> bool:
    """Return whether the neurons are silent in a step, counted from 0."""
    # Rounded, since 0.1 * 30 is 3.0000000000000004.
    return floor(round((step + 1) * share, 9)) > floor(round(step * share, 9))
