"""A round's settings as TRL takes them."""

from typing import TYPE_CHECKING

from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.trackers import called_there

if TYPE_CHECKING:
    from trl import DPOConfig


def dpo_config(settings: MaskedDPOSettings, output: str, device: str, joined: bool = False) -> "DPOConfig":
    """Return TRL's settings for a round.

    ``bf16`` and ``gradient_checkpointing`` are on by default in TRL; on a CPU the first makes a
    step four times slower, and the second recomputes what fits into memory anyway. Apple's GPU has
    no automatic bfloat16 in transformers' trainer. Both are so unless the settings say otherwise.

    Parameters
    ----------
    settings : MaskedDPOSettings
        Of this process, where several train.
    output : str
        Folder of the checkpoints.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    joined : bool
        Whether this process has joined others already (accelerate's ``PartialState``).
    """
    from trl import DPOConfig

    return DPOConfig(
        output_dir=output,
        beta=settings.beta,
        # TRL's name for the likelihood of the chosen answers; without weight nothing of it is computed.
        loss_type=["sigmoid", "sft"] if settings.chosen_weight else ["sigmoid"],
        loss_weights=[1.0, settings.chosen_weight] if settings.chosen_weight else None,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.batch_size,
        lr_scheduler_type="cosine",
        # In whole steps and rounded down: a warm-up's first step has rate 0, and of a few steps none should be idle.
        warmup_steps=int(settings.warmup * settings.max_steps),
        seed=settings.seed,
        data_seed=settings.seed,
        precompute_ref_log_probs=True,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        max_grad_norm=settings.max_grad_norm,
        max_length=settings.max_length,
        bf16=device == "cuda" if settings.bf16 is None else settings.bf16,
        gradient_checkpointing=(
            device != "cpu" if settings.gradient_checkpointing is None else settings.gradient_checkpointing
        ),
        use_cpu=device == "cpu",
        accelerator_config={"use_configured_state": joined},
        dataloader_pin_memory=device == "cuda",
        logging_steps=1,
        # Else a loss that is no number would be logged as the mean of those before.
        logging_nan_inf_filter=False,
        save_strategy="steps" if settings.save_steps else "no",
        save_steps=settings.save_steps or 1,
        report_to=list(settings.report_to),
        **called_there(),
        disable_tqdm=True,
    )
