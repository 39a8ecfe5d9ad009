"""One round of masked DPO: SafeNeuron's Algorithm 1 (arXiv 2602.12158, Eq. 11-12) with TRL's DPOTrainer.

    minimise  -E log sigmoid(beta (log p(y+|x)/p_ref(y+|x) - log p(y-|x)/p_ref(y-|x)))
    over every parameter but those of the set, which stay constant.

In the policy's forward pass the set's activations are zeroed as well (a switch), so that the rest of
the network has to learn to refuse by itself. The reference is the untouched model: its
log-probabilities are computed while the trainer is built, before any hook is on the model.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.checkpoints import last_checkpoint
from safeneuron.training.config import dpo_config
from safeneuron.training.dpo_trainer import dpo_trainer
from safeneuron.training.dropout import without_dropout
from safeneuron.training.forward_zeroing import ForwardZeroing
from safeneuron.training.frozen import (
    FrozenNeurons,
    FrozenReport,
    FrozenSlice,
    part_in,
    restore,
    verify,
    weight_slices,
)
from safeneuron.training.lora import lora_config, lora_slices, taken_off
from safeneuron.training.reporting import TRAINING, MetricsCallback, OnMetrics, OrderlyStopCallback
from safeneuron.training.settings import MaskedDPOSettings

if TYPE_CHECKING:
    from peft import PeftModel

    from safeneuron.training.trainer import MaskedDPOTrainer


@dataclass(frozen=True)
class MaskedDPOResult:
    """What a round leaves beside the changed weights.

    Parameters
    ----------
    steps : int
    loss : float
        Mean over the steps.
    frozen : FrozenReport
    """

    steps: int
    loss: float
    frozen: FrozenReport


class FreezingCallback(TrainerCallback):
    """Keep slices constant from when the trainer has put the model where it is trained until they are released.

    Parameters
    ----------
    model : PreTrainedModel
    slices : sequence of FrozenSlice
        Of the model before; several processes may each have a part of it afterwards.
    """

    def __init__(self, model: PreTrainedModel, slices: Sequence[FrozenSlice]) -> None:
        self._model = model
        self._slices = slices
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._frozen = FrozenNeurons(())

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Freeze them where they are now."""
        parameters = dict(self._model.named_parameters())
        self._frozen = FrozenNeurons(
            [part_in(parameters[self._names[id(part.parameter)]], part) for part in self._slices]
        )

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs
    ) -> None:
        """Undo what weight decay did to them."""
        self._frozen.restore()

    def release(self) -> None:
        """Let gradients through again; the values stay as they are."""
        self._frozen.release()


def train_masked_dpo(
    loaded: LoadedModel,
    neurons: NeuronSet,
    pairs: Sequence[PreferencePair],
    settings: MaskedDPOSettings = MaskedDPOSettings(),
    progress: Progress = silent,
    on_metrics: OnMetrics | None = None,
    folder: Path | None = None,
    reference: Path | None = None,
    watchers: Sequence[TrainerCallback] = (),
) -> MaskedDPOResult:
    """Train ``loaded.model`` in place, with the set's parameters constant.

    Parameters
    ----------
    loaded : LoadedModel
        Its weights change; nobody else may use it meanwhile.
    neurons : NeuronSet
        What is frozen and zeroed; with an empty set this is plain DPO.
    pairs : sequence of PreferencePair
    settings : MaskedDPOSettings
    progress : Progress
        Told about the two steps, :data:`REFERENCE` and :data:`TRAINING`. If it raises
        :class:`~safeneuron.errors.Cancelled` after a step and there is a folder, a checkpoint is written first.
    on_metrics : callable, optional
    folder : Path, optional
        Where checkpoints are kept. One that lies there is gone on from, with the same arguments and the same
        untrained model, and the end is the same bit for bit.
    reference : Path, optional
        Log-probabilities that an earlier round of the run kept, of the same pairs; they take the place of this model's.
    watchers : sequence of TrainerCallback
        Of them, each is told how the training goes on, and none may change it.

    Raises
    ------
    UserError
        When there are no pairs, the weights are not float32, or the set belongs to a model of another shape.
    """
    if not pairs:
        raise UserError("Training needs at least one preference pair; give a file with some, or ask for more than 0.")
    if loaded.model.dtype not in (torch.float32, torch.float64) or getattr(loaded.model, "is_quantized", False):
        raise UserError("Only float32 weights are trained; set SAFENEURON_LOAD=float32 and open the model again.")
    with trained(loaded, neurons, pairs, settings, progress, on_metrics, folder, reference, watchers) as (
        trainer,
        start,
    ):
        if settings.lora_rank:
            merge(trainer.model, start)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return MaskedDPOResult(trainer.state.global_step, fmean(losses), verify(start))


@contextmanager
def trained(
    loaded: LoadedModel,
    neurons: NeuronSet,
    pairs: Sequence[PreferencePair],
    settings: MaskedDPOSettings,
    progress: Progress,
    on_metrics: OnMetrics | None,
    folder: Path | None,
    reference: Path | None = None,
    watchers: Sequence[TrainerCallback] = (),
    joined: str | None = None,
) -> Iterator[tuple["MaskedDPOTrainer", list[FrozenSlice]]]:
    """Train as :func:`train_masked_dpo` does, and yield the trainer and the slices as they were at the start.

    What the trainer put on the model, adapters too, is taken off when the block ends.

    Parameters
    ----------
    joined : str, optional
        In one of several processes that have joined each other, the device on which they train, ``cpu`` or ``cuda``.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        loaded.lock,
        _forward_restored(loaded),
        taken_off(loaded.model),
        without_dropout(loaded.model),
    ):
        settings = settings.with_steps(len(pairs))
        settings = settings if folder else replace(settings, save_steps=0)
        config = dpo_config(settings, str(folder or scratch), joined or loaded.device.type, joined is not None)
        # Of the untrained model: a checkpoint that is gone on from is loaded later, and so proven as well.
        start = weight_slices(loaded.model, neurons, settings.freeze_down_column)
        adapter = lora_config(loaded.model, settings)
        trainer = dpo_trainer(loaded, pairs, config, progress, folder, adapter, settings.compared_tokens, reference)
        if on_metrics:
            trainer.add_callback(MetricsCallback(on_metrics))
        for watcher in watchers:
            trainer.add_callback(watcher)
        stop = OrderlyStopCallback(TRAINING, progress, checkpoint=folder is not None)
        trainer.add_callback(stop)
        freezing = FreezingCallback(
            loaded.model, lora_slices(loaded.model, neurons, settings.freeze_down_column) if adapter else start
        )
        trainer.add_callback(freezing)
        zeroing = ForwardZeroing(loaded.model, neurons, settings.zeroing_share if settings.forward_zeroing else 0.0)
        trainer.add_callback(zeroing)
        try:
            _train(trainer, progress, last_checkpoint(folder) if folder else None)
        finally:
            zeroing.release()
            freezing.release()
            loaded.model.eval()
        if stop.cancelled:
            raise Cancelled
        yield trainer, start


def merge(adapted: "PeftModel", start: Sequence[FrozenSlice]) -> None:
    """Add the adapter to the weights, of which the frozen slices were as in ``start``."""
    adapted.merge_and_unload()
    if verify(start).max_abs_diff == 0.0:
        # To a weight of -0.0 zero was added, which makes it 0.0: the same number in other bits.
        restore(start)


def _train(trainer: "MaskedDPOTrainer", progress: Progress, checkpoint: Path | None) -> None:
    """Train to the end, from the checkpoint on if there is one."""
    if checkpoint is None:
        progress(TRAINING, 0.0)
        trainer.train()
        return
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    progress(TRAINING, state.global_step / state.max_steps)
    # TRL counts from 0 again.
    trainer._total_train_tokens = int(state.log_history[-1]["num_tokens"])
    if state.global_step < state.max_steps:
        trainer.train(resume_from_checkpoint=str(checkpoint))
    else:
        # Nothing is left to do, and the trainer would make one more step.
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = state


@contextmanager
def _forward_restored(loaded: LoadedModel):
    """Take TRL's replacement of ``model.forward`` off again; it would stay for good."""
    try:
        yield
    finally:
        vars(loaded.model).pop("forward", None)
