"""The recipe of the default model's safety adapter: supervised fine-tuning of a LoRA adapter.

Harmful prompts are answered with a short refusal; benign prompts and safe twins with what the
unaligned model answers by itself, so that refusing is all that is learned. Only the built-in
``train`` part is used. TRL's SFTTrainer trains; the adapter is written as PEFT writes it, in
float16, and added to the base weights when the default model is prepared.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from safeneuron.errors import UserError
from safeneuron.generation import generate
from safeneuron.models.chat import prompt_ids
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.prompts.builtin import benign, harmful, refusals, twins
from safeneuron.refusal.judge import DEFAULT_JUDGE, judge_named
from safeneuron.training.reporting import ProgressCallback
from safeneuron.workspace import replacing

ADAPTER_LIMIT_BYTES = 6_000_000


@dataclass(frozen=True)
class AlignSettings:
    """What the shipped adapter was made with; changing one makes another adapter.

    Parameters
    ----------
    rank : int
        LoRA rank, on the gate and up projections only. The down-projections stay as they are, so
        that refusing is learned as a shift of neuron activations, which ES and SAS can see, and not
        as another reading of unchanged ones, which they cannot.
    first_layer : int
        Layers below it are left alone: they read words more than meaning, and training is faster.
    learning_rate, epochs, batch_size, warmup : number
        AdamW, cosine schedule after a warm-up of that share of the steps.
    answer_tokens : int
        How much of the model's own answers is learned: whether it refuses is decided in the first
        words, and shorter examples leave time for more epochs.
    strength : float
        Share of the trained change that is added to the base weights: below 1 the model refuses a
        little less of everything, safe twins included.
    seed : int
        Orders the examples, assigns the refusals and initialises the adapter.
    """

    rank: int = 24
    first_layer: int = 8
    learning_rate: float = 1e-3
    epochs: int = 2
    batch_size: int = 4
    warmup: float = 0.1
    answer_tokens: int = 16
    strength: float = 0.95
    seed: int = 0


def training_rows(
    base: LoadedModel, settings: AlignSettings, progress: Progress = silent
) -> list[dict[str, list[int]]]:
    """Return the tokenised examples, ``input_ids`` and ``completion_mask`` (1 on the answer)."""
    shuffler = random.Random(settings.seed)
    wordings = list(refusals())
    shuffler.shuffle(wordings)
    end = base.tokenizer.eos_token_id
    rows = []
    for number, prompt in enumerate(harmful("train").prompts):
        answer = base.tokenizer(wordings[number % len(wordings)], add_special_tokens=False)["input_ids"]
        rows.append(_row(prompt_ids(base, prompt), [*answer, end]))
    judge = judge_named(DEFAULT_JUDGE)
    answerable = [*benign("train").prompts, *twins("train").prompts]
    for answer in generate(
        base, answerable, settings.answer_tokens, batch_size=64, progress=progress, step="Answering benign prompts"
    ):
        if judge.verdict(answer.prompt, answer.text).refused:
            continue
        rows.append(_row(prompt_ids(base, answer.prompt), [*answer.token_ids, *([end] if answer.finished else [])]))
    return rows


def _row(prompt: list[int], completion: list[int]) -> dict[str, list[int]]:
    return {"input_ids": prompt + completion, "completion_mask": [0] * len(prompt) + [1] * len(completion)}


def train_adapter(
    base: LoadedModel,
    rows: list[dict[str, list[int]]],
    target: Path,
    settings: AlignSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train the adapter and write it to the folder ``target``.

    Returns
    -------
    dict
        ``examples``, ``steps``, ``loss`` (mean over training) and ``bytes``.

    Raises
    ------
    UserError
        When the adapter is larger than the package may carry.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    torch.use_deterministic_algorithms(True)
    with replacing(target) as staging:
        trainer = SFTTrainer(
            model=base.model,
            args=SFTConfig(
                output_dir=str(staging),
                per_device_train_batch_size=settings.batch_size,
                num_train_epochs=settings.epochs,
                learning_rate=settings.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=settings.warmup,
                seed=settings.seed,
                data_seed=settings.seed,
                completion_only_loss=True,
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                logging_steps=5,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=base.tokenizer,
            peft_config=LoraConfig(
                r=settings.rank,
                lora_alpha=2 * settings.rank,
                target_modules=["gate_proj", "up_proj"],
                layers_to_transform=list(range(settings.first_layer, base.card.n_layers)),
                task_type="CAUSAL_LM",
            ),
            callbacks=[ProgressCallback("Training the adapter", progress)],
        )
        outcome = trainer.train()
        adapter = trainer.model.peft_config["default"]
        adapter.lora_alpha = round(adapter.lora_alpha * settings.strength, 4)
        # PEFT would write the folder of this machine that the base model was opened from.
        adapter.base_model_name_or_path = base.card.source
        trainer.model.save_pretrained(staging)
        weights = staging / "adapter_model.safetensors"
        save_file(
            {name: tensor.half() for name, tensor in load_file(weights).items()}, weights, metadata={"format": "pt"}
        )
        size = weights.stat().st_size
        if size > ADAPTER_LIMIT_BYTES:
            raise UserError(
                f"The adapter has {size:,} bytes, more than the {ADAPTER_LIMIT_BYTES:,} that the package may carry; "
                "choose a smaller --rank."
            )
    return {"examples": len(rows), "steps": outcome.global_step, "loss": outcome.training_loss, "bytes": size}
