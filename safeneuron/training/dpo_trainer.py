"""Building TRL's trainer of a model and its pairs; TRL itself, which takes some ten seconds, is imported only then."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.prompts.pairs import PreferencePair

if TYPE_CHECKING:
    from peft import LoraConfig
    from trl import DPOConfig

    from safeneuron.training.trainer import MaskedDPOTrainer


def dpo_trainer(
    loaded: LoadedModel,
    pairs: Sequence[PreferencePair],
    config: "DPOConfig",
    progress: Progress = silent,
    folder: Path | None = None,
    adapter: "LoraConfig | None" = None,
    compared_tokens: int = 0,
    reference: Path | None = None,
) -> "MaskedDPOTrainer":
    """Build the trainer, which puts the adapter on and computes the reference log-probabilities of every pair."""
    from datasets import Dataset, disable_progress_bars

    from safeneuron.training.trainer import MaskedDPOTrainer

    disable_progress_bars()
    return MaskedDPOTrainer(
        model=loaded.model,
        args=config,
        train_dataset=Dataset.from_list([conversation(pair) for pair in pairs]),
        processing_class=loaded.tokenizer,
        progress=progress,
        folder=folder,
        compared_tokens=compared_tokens,
        reference=reference,
        peft_config=adapter,
    )


def conversation(pair: PreferencePair) -> dict[str, list[dict[str, str]]]:
    """Return the pair as a conversation, so that TRL applies the model's own chat template, once."""
    return {
        "prompt": [{"role": role, "content": text} for role, text in (*pair.earlier, ("user", pair.prompt))],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
    }
