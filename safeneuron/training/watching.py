"""What is measured of a training while it goes on, and changes nothing about it: speed, memory, refusals.

Refusals are those of the refusal meter's few prompts (:func:`safeneuron.prompts.builtin.panel`), judged by the first
token alone: one forward pass, no generation. With 16 prompts a rate moves in steps of 6 points, and says how answers
open, not what they then say; the run's evaluation judges whole answers to other prompts too.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safeneuron.ablation.hooks import lifted
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet, has_control, random_like
from safeneuron.prompts.builtin import panel
from safeneuron.refusal.judges.log_odds import JUDGE
from safeneuron.refusal.panel import Panel
from safeneuron.training.reporting import OnMetrics
from safeneuron.training.watched import MEMORY, PEAK, SPEED, RefusalChecks, benign_curve, refusal_curve

MEGABYTE = 1e6


class SpeedCallback(TrainerCallback):
    """Hand on how many tokens each optimiser step took in a second, and the process's memory after it.

    Tokens are those of prompts and answers of the step's pairs, without padding; the time of writing checkpoints and
    of measuring refusals is not counted.
    """

    def __init__(self, on_metrics: OnMetrics) -> None:
        self._on_metrics = on_metrics
        self._process = psutil.Process()
        self._tokens = self._began = self._seconds = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Count from where a checkpoint ends, if one is gone on from."""
        self._tokens = state.log_history[-1]["num_tokens"] if state.log_history else 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Stop the clock."""
        self._seconds = time.perf_counter() - self._began

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs,
    ) -> None:
        """Hand on the step's values; the summary at the end of training is no step."""
        if not logs or "num_tokens" not in logs:
            return
        tokens, self._tokens = logs["num_tokens"] - self._tokens, logs["num_tokens"]
        values = {SPEED: tokens / self._seconds, MEMORY: self._process.memory_info().rss / MEGABYTE}
        if torch.cuda.is_available():
            values[PEAK] = torch.cuda.max_memory_allocated() / MEGABYTE
        self._on_metrics(state.global_step, values)


class RefusalCallback(TrainerCallback):
    """Hand on how much is refused, after every so many optimiser steps and after the last one.

    Parameters
    ----------
    checks : RefusalChecks
    measure : callable
        Returns the rates of the model as it is now, by name of the curve, under the checks' sets.
    on_metrics : callable
    """

    def __init__(
        self,
        checks: RefusalChecks,
        measure: Callable[[Mapping[str, NeuronSet]], Mapping[str, float]],
        on_metrics: OnMetrics,
    ) -> None:
        self._checks = checks
        self._measure = measure
        self._on_metrics = on_metrics

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Measure the model as it was, unless a checkpoint is gone on from."""
        if self._checks.at_start and state.global_step == 0:
            self._on_metrics(0, self._measure(self._checks.sets))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Measure when it is time."""
        if state.global_step % self._checks.every == 0 or state.global_step == state.max_steps:
            self._on_metrics(state.global_step, self._measure(self._checks.sets))


def refusals_while_training(loaded: LoadedModel, sets: Mapping[str, NeuronSet]) -> dict[str, float]:
    """Return the shares of the panel's prompts that are refused, by name of the curve; no hook of the training is on.

    ``refusal/log-odds/ORI``, ... ``/RANDOM`` of the harmful prompts and ``benign/log-odds/ORI`` of the benign ones,
    0 to 1. Nothing random is drawn, so that a training goes on as if nobody had measured.
    """
    harmful, benign = panel()
    conditions = {name: sets[name] for name in ("ES", "SAS", "FULL")}
    if has_control(sets["FULL"]):
        conditions["RANDOM"] = random_like(sets["FULL"], 0)
    training = loaded.model.training
    loaded.model.eval()
    try:
        with lifted(loaded.model):
            meter = Panel(loaded, harmful.prompts)
            scores = {"ORI": meter.original} | {name: meter.scores(found) for name, found in conditions.items()}
            other = Panel(loaded, benign.prompts).original
    finally:
        loaded.model.train(training)
    rates = {refusal_curve(name): float((found > JUDGE.threshold).mean()) for name, found in scores.items()}
    return rates | {benign_curve("ORI"): float((other > JUDGE.threshold).mean())}
