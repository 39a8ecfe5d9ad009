"""How much more memory masked DPO needs than plain TRL DPO, each in a process of its own."""

import os
import subprocess
import sys
from statistics import median

import psutil

from safeneuron.errors import UserError
from safeneuron.runs.launcher import environment

PLAIN, MASKED = "plain", "masked"
STEPS = 3
PAIRS = 8
EVERY_SECONDS = 0.02


def memory_ratio(source: str, lora_rank: int = 0, threads: int = 1, repeats: int = 3) -> tuple[float, float, float]:
    """Return the largest resident size of a plain TRL DPO run, that of a masked one, in bytes, and their ratio.

    Medians over ``repeats`` processes of each kind, in turns. Both open the model, find FULL and make the same steps
    with the same pairs; one with TRL's own trainer, the other as a run does, with FULL frozen and zeroed.

    Parameters
    ----------
    source : str
        The model.
    lora_rank : int
        Of the adapter that is trained; 0 trains the weights.
    threads : int
        Of each process.
    """
    sizes: dict[str, list[int]] = {PLAIN: [], MASKED: []}
    for _ in range(repeats):
        for kind, seen in sizes.items():
            seen.append(_peak(source, kind, lora_rank, threads))
    plain, masked = median(sizes[PLAIN]), median(sizes[MASKED])
    return plain, masked, masked / plain


def _peak(source: str, kind: str, lora_rank: int, threads: int) -> int:
    """Train in another process, and return the largest resident size that was seen, in bytes."""
    command = [sys.executable, "-m", "safeneuron.training.memory_beside_plain", source, kind, str(lora_rank)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | environment(threads))
    largest = 0
    while process.poll() is None:
        largest = max(largest, process.memory_info().rss)
        try:
            process.wait(EVERY_SECONDS)
        except psutil.TimeoutExpired:
            continue
    if process.returncode:
        raise UserError(f"The model {source} could not be trained for the measurement; try 'train' by itself.")
    return largest


def main(source: str, kind: str, lora_rank: str) -> None:
    """Train a few steps; nothing of it is kept."""
    import tempfile

    from datasets import Dataset
    from trl import DPOTrainer

    from safeneuron.models.catalogue import open_model
    from safeneuron.models.device import in_float32_on_one_device
    from safeneuron.scoring import score_table
    from safeneuron.training.bench import made_up_pairs
    from safeneuron.training.config import dpo_config
    from safeneuron.training.dpo_trainer import conversation
    from safeneuron.training.lora import lora_config
    from safeneuron.training.masked_dpo import train_masked_dpo
    from safeneuron.training.settings import MaskedDPOSettings

    in_float32_on_one_device()
    loaded = open_model(source)
    # In both, so that both have what opening and scoring leave.
    neurons = score_table(loaded).select()["FULL"]
    pairs = made_up_pairs(PAIRS)
    settings = MaskedDPOSettings(max_steps=STEPS, save_steps=0, lora_rank=int(lora_rank))
    if kind == MASKED:
        train_masked_dpo(loaded, neurons, pairs, settings)
        return
    with tempfile.TemporaryDirectory() as scratch:
        DPOTrainer(
            model=loaded.model,
            args=dpo_config(settings, scratch, loaded.device.type),
            train_dataset=Dataset.from_list([conversation(pair) for pair in pairs]),
            processing_class=loaded.tokenizer,
            peft_config=lora_config(loaded.model, settings),
        ).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
