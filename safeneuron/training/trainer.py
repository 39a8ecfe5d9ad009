"""TRL's DPOTrainer, with a reference that is kept and says how far it is, and checkpoints that are whole or not there.

Imported by the process that trains only: TRL takes some ten seconds.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from datasets import Dataset, concatenate_datasets
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PreTrainedModel, PrinterCallback
from trl import DPOTrainer

from safeneuron.errors import UserError
from safeneuron.progress import Progress, silent
from safeneuron.training.checkpoints import REFERENCE_FILE, checkpoint_step, checkpoints
from safeneuron.training.reporting import REFERENCE
from safeneuron.workspace import clear_disk_errors, fingerprint, remove_abandoned, replacing, scratch_folder

COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")


class MaskedDPOTrainer(DPOTrainer):
    """What a run needs beyond TRL's own, which computes the reference in its constructor and tells nobody.

    Parameters
    ----------
    progress : Progress
        Told how far :data:`REFERENCE` is.
    folder : Path or None
        Where checkpoints and the reference log-probabilities are kept, so that a resumed run has them; None
        keeps nothing.
    compared_tokens : int
        Tokens of both answers that count, from their beginning; 0 is all.
    reference : Path or None
        The file of log-probabilities to use instead of the model's own.
    """

    def __init__(
        self,
        *args: Any,
        progress: Progress = silent,
        folder: Path | None = None,
        compared_tokens: int = 0,
        reference: Path | None = None,
        **kwargs: Any,
    ) -> None:
        self._progress = progress
        self._folder = folder
        self._compared_tokens = compared_tokens
        self._reference = reference
        self._batches = self._done = 0
        if folder is not None:
            remove_abandoned(folder)
        super().__init__(*args, **kwargs)
        # With its progress bar off, the trainer would print every log line on standard output.
        self.remove_callback(PrinterCallback)

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """Cut the tokenized answers; TRL had ``max_completion_length`` for that and has it no more."""
        found = super()._prepare_dataset(dataset, *args, **kwargs)
        if not self._compared_tokens:
            return found
        return found.map(
            lambda row: {name: row[name][: self._compared_tokens] for name in ("chosen_ids", "rejected_ids")}
        )

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        """Return the dataset with the reference's log-probabilities, those kept where they are of the same texts."""
        # Each process has its share of the batches.
        self._batches = -(-len(dataset) // (batch_size * self.accelerator.num_processes))
        ids = [dataset[column] for column in ("prompt_ids", "chosen_ids", "rejected_ids")]
        of = {"texts": fingerprint([list(column) for column in ids]), "model": self._precompute_model_hash}
        if self._reference is not None:
            # That of an earlier round is of another model by intent.
            kept = _kept_reference(self._reference, {"texts": of["texts"]})
            if kept is None:
                raise UserError(
                    f"{self._reference} lacks the log-probabilities of the model before the first round; start the run "
                    "again."
                )
        else:
            kept = _kept_reference(self._folder / REFERENCE_FILE, of) if self._folder else None
        if kept is not None:
            self._progress(REFERENCE, 1.0)
            return concatenate_datasets([dataset, kept], axis=1)
        self._progress(REFERENCE, 0.0)
        if self.accelerator.num_processes == 1:
            found = super()._precompute_ref_logps(dataset, name, batch_size)
            self._keep_reference(found, of)
            return found
        # TRL's processes hand the reference on in a file beside the dataset's own.
        with self._scratch(self._folder / "pairs") as scratch:
            if self.accelerator.is_main_process:
                dataset.save_to_disk(scratch)
            self.accelerator.wait_for_everyone()
            found = super()._precompute_ref_logps(Dataset.load_from_disk(scratch), name, batch_size)
            if self.accelerator.is_main_process:
                self._keep_reference(found, of)
        return concatenate_datasets([dataset, _kept_reference(self._folder / REFERENCE_FILE, of)], axis=1)

    def _keep_reference(self, found: Dataset, of: Mapping[str, str]) -> None:
        if self._folder is not None:
            with replacing(self._folder / REFERENCE_FILE) as staging:
                save_file({column: torch.tensor(found[column][:]) for column in COLUMNS}, staging, metadata=dict(of))

    @contextmanager
    def _scratch(self, target: Path) -> Iterator[Path]:
        """Yield a new folder beside ``target``, the same in all processes; it goes when all have left the block."""
        with ExitStack() as stack:
            made = stack.enter_context(scratch_folder(target)) if self.accelerator.is_main_process else None
            yield broadcast_object_list([made])[0]
            self.accelerator.wait_for_everyone()

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Any]) -> Any:
        """Report each batch of the reference."""
        found = super().compute_ref_log_probs(model, inputs)
        self._done += 1
        self._progress(REFERENCE, self._done / self._batches)
        return found

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write beside the earlier checkpoint, which goes only when the new one is whole.

        Whoever is killed while it writes, or has no more room, keeps the earlier one.
        """
        output = Path(self.args.output_dir)
        with clear_disk_errors(output), self._scratch(output / "checkpoint") as scratch:
            self.args.output_dir = str(scratch)
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self.args.output_dir = str(output)
            self.accelerator.wait_for_everyone()
            if self.accelerator.is_main_process:
                (written,) = checkpoints(scratch)
                written.replace(output / written.name)
        if self.accelerator.is_main_process:
            for earlier in checkpoints(output):
                if checkpoint_step(earlier) != self.state.global_step:
                    shutil.rmtree(earlier)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write weights under the names that they have in memory, as the trainer looks for them when it resumes.

        By default some families' are written under the names of their first release (transformers issue 43701).
        """
        if isinstance(self.model, PreTrainedModel):
            self.model.save_pretrained = partial(self.model.save_pretrained, save_original_format=False)
        try:
            super()._save(output_dir, state_dict)
        finally:
            vars(self.model).pop("save_pretrained", None)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuse a checkpoint that does not fill the model; TRL would log a line and train something else."""
        there = dict(self.model.state_dict(keep_vars=True))
        loaded = {tensor.data_ptr() for name, tensor in there.items() if name not in load_result.missing_keys}
        empty = [name for name in load_result.missing_keys if there[name].data_ptr() not in loaded]
        if empty or load_result.unexpected_keys:
            names = ", ".join([*empty, *load_result.unexpected_keys][:3])
            raise UserError(f"The run's checkpoint does not fit its model ({names}); start the run again.")


def _kept_reference(path: Path, of: Mapping[str, str]) -> Dataset | None:
    """Return the columns that an earlier process of this run kept, if they are of the same texts and model."""
    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        if not of.items() <= (file.metadata() or {}).items():
            return None
        return Dataset.from_dict({column: file.get_tensor(column).numpy() for column in COLUMNS})
