"""How much longer a masked-DPO step takes than a plain TRL DPO step."""

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safeneuron.ablation.hooks import add_hooks
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.prompts import builtin
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.config import dpo_config
from safeneuron.training.dpo_trainer import dpo_trainer
from safeneuron.training.frozen import FrozenNeurons, FrozenSlice, weight_slices
from safeneuron.training.lora import lora_config, lora_slices
from safeneuron.training.settings import MaskedDPOSettings

WARM_UP_STEPS = 2


class AlternatingCallback(TrainerCallback):
    """Mask every second step of one training, and time each: both sides see the same machine."""

    def __init__(self, loaded: LoadedModel, neurons: NeuronSet, slices: Sequence[FrozenSlice]) -> None:
        self._loaded = loaded
        self._neurons = neurons
        self._slices = slices
        self.seconds: dict[str, list[float]] = {"plain": [], "masked": []}

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Put the mask on, on odd steps, and start the clock; a run puts it on only once."""
        self._masked = state.global_step % 2 == 1
        if self._masked:
            self._frozen = FrozenNeurons(self._slices)
            self._handles = add_hooks(self._loaded.model, self._neurons)
        self._start = time.perf_counter()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs
    ) -> None:
        """Restore the slices, as a run does."""
        if self._masked:
            self._frozen.restore()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Stop the clock and take the mask off."""
        self.seconds["masked" if self._masked else "plain"].append(time.perf_counter() - self._start)
        if self._masked:
            self._frozen.release()
            for handle in self._handles:
                handle.remove()


def made_up_pairs(count: int) -> list[PreferencePair]:
    """Return pairs to measure with, of benign prompts and built-in refusals."""
    wordings = builtin.refusals()
    return [
        PreferencePair(prompt, wordings[number % len(wordings)], wordings[(number + 1) % len(wordings)])
        for number, prompt in enumerate(builtin.benign("train").prompts[:count])
    ]


def step_ratio(
    loaded: LoadedModel, neurons: NeuronSet, batch_size: int = 8, steps: int = 12, lora_rank: int = 0
) -> float:
    """Return the median time of a masked step over that of a plain one.

    Parameters
    ----------
    loaded : LoadedModel
        Stays as it is: a copy of its model is trained.
    neurons : NeuronSet
    batch_size : int
        Pairs a step; the same pairs in every step.
    steps : int
        Of both kinds together, after a warm-up.
    lora_rank : int
        Of the adapter that is trained, on all linear modules; 0 trains the weights.
    """
    copied = replace(loaded, model=copy.deepcopy(loaded.model))
    pairs = made_up_pairs(batch_size)
    settings = MaskedDPOSettings(
        max_steps=WARM_UP_STEPS + steps, batch_size=batch_size, save_steps=0, lora_rank=lora_rank
    )
    with tempfile.TemporaryDirectory() as scratch:
        config = dpo_config(settings, scratch, loaded.device.type)
        trainer = dpo_trainer(copied, pairs, config, adapter=lora_config(copied.model, settings))
        slices = lora_slices(copied.model, neurons) if lora_rank else weight_slices(copied.model, neurons)
        callback = AlternatingCallback(copied, neurons, slices)
        trainer.add_callback(callback)
        trainer.train()
    skipped = WARM_UP_STEPS // 2
    return median(callback.seconds["masked"][skipped:]) / median(callback.seconds["plain"][skipped:])
