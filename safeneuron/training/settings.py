"""What a masked-DPO run is asked to do; read by pages and the command line, so without torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

from safeneuron.errors import UserError
from safeneuron.scores.score import check_thresholds
from safeneuron.statistics import Pooling, check_pooling
from safeneuron.training.trackers import checked_trackers


def steps_in_words(steps: int) -> str:
    """Return "1 step" or "48 steps"."""
    return f"{steps:,} step{'' if steps == 1 else 's'}"


def trained_in_words(frozen: str, steps: int, lora_rank: int = 0) -> str:
    """Return "FULL frozen, 48 steps", with "LoRA of rank 8" where only that is trained, or "plain DPO, 48 steps".

    Parameters
    ----------
    frozen : str
        The set's name.
    steps : int
    """
    how = "plain DPO" if frozen == "ORI" else f"{frozen} frozen"
    return f"{how}, {f'LoRA of rank {lora_rank}, ' if lora_rank else ''}{steps_in_words(steps)}"


@dataclass(frozen=True)
class MaskedDPOSettings:
    """One round of SafeNeuron's Algorithm 1.

    Parameters
    ----------
    beta : float
        DPO's inverse temperature; the paper's value.
    learning_rate : float
        The paper has 5e-6. On the default model, 48 steps at 1e-5 keep its refusals; at 5e-5 half are lost.
    weight_decay : float
        AdamW's decoupled decay; the paper's value.
    max_steps : int
        Optimiser steps.
    epochs : int or None
        Passes over the pairs; if given, ``max_steps`` follows from it.
    batch_size : int
        Pairs that are computed together.
    gradient_accumulation_steps : int
        Batches in each optimiser step.
    max_grad_norm : float
        The whole gradient is scaled down to this length; 0 leaves it.
    max_length : int
        Tokens of a prompt with an answer; longer pairs are left out.
    compared_tokens : int
        Only so many tokens of both answers count, from their beginning; 0 is all, as in the paper. Whether a model
        refuses is decided in its first words. Over whole answers DPO is content once the many tokens of the worse
        one have become unlikely.
    warmup : float
        Share of the steps over which the rate rises from 0, before it falls along a cosine; less than a
        whole step is none.
    seed : int
        Orders the pairs.
    forward_zeroing : bool
        Zero the set's activations in the policy's forward pass (Algorithm 1, step 3); otherwise
        the set is only frozen.
    zeroing_share : float
        Share of the optimiser steps in which that is done; 1 is the paper's. The others see the model as it is
        used, which keeps what is learned without the set from adding to what the set does: less over-refusal.
    chosen_weight : float
        Weight of the likelihood of the preferred answers beside DPO's loss, against both answers becoming
        unlikely (Pang et al. 2024, arXiv 2404.19733, Eq. 1); 0 is DPO alone, as in the paper.
    freeze_down_column : bool
        Freeze the set's columns of the down-projection too; the paper does not say.
    bf16, gradient_checkpointing : bool or None
        Computing in bfloat16, and recomputing activations instead of keeping them; None does both on
        Nvidia's GPUs, the second on Apple's, and neither on a CPU.
    lora_rank : int
        Rank of a LoRA adapter that is trained instead of the weights and merged at the end; 0 trains the weights.
    lora_alpha : float
        The adapter counts ``lora_alpha / lora_rank``.
    lora_modules : tuple of str
        Linear modules of the layers that get one, such as ``q_proj``; none given means all.
    save_steps : int
        A checkpoint after every so many steps, in place of the one before; 0 writes one only when the run is
        cancelled.
    threads : int or None
        The run's share of the cores; None takes half.
    report_to : tuple of str
        Trackers that the trainer reports to besides MLflow, of :data:`safeneuron.training.trackers.TRACKERS`.
    """

    beta: float = 0.1
    learning_rate: float = 1e-5
    weight_decay: float = 0.05
    max_steps: int = 48
    epochs: int | None = None
    batch_size: int = 8
    gradient_accumulation_steps: int = 1
    max_grad_norm: float = 1.0
    max_length: int = 1024
    compared_tokens: int = 0
    warmup: float = 0.1
    seed: int = 0
    forward_zeroing: bool = True
    zeroing_share: float = 1.0
    chosen_weight: float = 0.0
    freeze_down_column: bool = True
    bf16: bool | None = None
    gradient_checkpointing: bool | None = None
    lora_rank: int = 0
    lora_alpha: float = 32.0
    lora_modules: tuple[str, ...] = ()
    save_steps: int = 16
    threads: int | None = None
    report_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (
            min(self.max_steps, self.batch_size, self.gradient_accumulation_steps, self.epochs or 1, self.max_length)
            < 1
        ):
            raise UserError(
                "Training needs at least one step, one pair in each and one token; raise --max-steps, --epochs, "
                "--batch-size, --gradient-accumulation-steps or --max-length."
            )
        # As JSON gives them back.
        object.__setattr__(self, "lora_modules", tuple(self.lora_modules))
        object.__setattr__(self, "report_to", checked_trackers(self.report_to))
        if self.lora_rank < 0 or self.lora_alpha <= 0:
            raise UserError("A LoRA adapter needs a rank above 0, or 0 for none, and an alpha above 0; choose others.")
        if self.compared_tokens < 0:
            raise UserError("At least one token of each answer is compared, or 0 for all; raise --compared-tokens.")
        if not 0 < self.zeroing_share <= 1:
            raise UserError(
                "The share of steps with the set zeroed is above 0 and at most 1; choose another, or leave zeroing out "
                "(--no-forward-zeroing)."
            )
        if not (isfinite(self.chosen_weight) and self.chosen_weight >= 0):
            raise UserError("The weight of the chosen answers' likelihood cannot be below 0; choose another.")
        if self.save_steps < 0:
            raise UserError("Checkpoints are written every so many steps, or 0 for none; raise --save-steps.")
        if not all(isfinite(value) and value > 0 for value in (self.learning_rate, self.beta)):
            raise UserError("The learning rate and beta must be numbers above 0; choose others.")
        if not all(isfinite(value) and value >= 0 for value in (self.weight_decay, self.warmup, self.max_grad_norm)):
            raise UserError("Weight decay, warm-up and the largest gradient norm cannot be below 0; choose others.")
        if self.warmup > 1:
            raise UserError("The warm-up is a share of the steps, from 0 to 1; lower --warmup.")

    @property
    def pairs_per_step(self) -> int:
        """Pairs in each optimiser step."""
        return self.batch_size * self.gradient_accumulation_steps

    def with_steps(self, pairs: int) -> "MaskedDPOSettings":
        """Return the settings with the number of steps that the epochs over so many pairs take."""
        return replace(self, max_steps=self.epochs * -(-pairs // self.pairs_per_step)) if self.epochs else self


@dataclass(frozen=True)
class TrainingSettings:
    """A whole run: preference pairs, training, and the evaluation after it.

    Parameters
    ----------
    dpo : MaskedDPOSettings
    harmful_pairs, twin_pairs, benign_pairs : int
        Preference pairs of each kind; a run too short to see them all makes fewer, in the same
        proportions.
    answer_tokens : int
        Most tokens of the model's own answers in them; shorter ones make shorter steps, and what they end in matters
        little to whether a model refuses.
    thresholds : mapping of str to float
        By name of score, for the sets ES, SAS and FULL; those left out take the score's default.
    pooling : {"last", "max", "mean"}
    safety_share : float or None
        Share of safety pairs among all, where a person's own and general ones are mixed; None takes all of both.
    pairs_limit : int or None
        At most so many of a person's own pairs, drawn at random.
    evaluation_limit : int or None
        Harmful test prompts in the evaluation; None takes 64, or 10 in a run of less than 8 steps.
    rounds : int
        How often at most: identify, freeze all that was ever found, train, evaluate (paper.md 2.3).
    stop_when_flat : bool
        Begin no further round once the last one has not raised the refusal rate under FULL (found anew).
    evaluate_every : int
        Refusal scores of the panel's prompts after every so many optimiser steps; 0 measures none.
    """

    dpo: MaskedDPOSettings = MaskedDPOSettings()
    harmful_pairs: int = 96
    twin_pairs: int = 48
    benign_pairs: int = 48
    answer_tokens: int = 64
    thresholds: Mapping[str, float] = field(default_factory=dict)
    pooling: Pooling = "last"
    safety_share: float | None = None
    pairs_limit: int | None = None
    evaluation_limit: int | None = None
    rounds: int = 1
    stop_when_flat: bool = False
    evaluate_every: int = 0

    def __post_init__(self) -> None:
        check_thresholds(self.thresholds)
        check_pooling(self.pooling)
        if self.answer_tokens < 1:
            raise UserError("The answers in preference pairs need at least one token; raise --answer-tokens.")
        # 0 says "none" where there is no way to leave it open.
        object.__setattr__(self, "safety_share", self.safety_share or None)
        if self.safety_share is not None and not 0 < self.safety_share < 1:
            raise UserError("The share of safety pairs lies between 0 and 1, such as 0.3; choose another.")
        if self.rounds < 1:
            raise UserError("A run has at least one round; raise --rounds.")
        if self.evaluate_every < 0:
            raise UserError("Refusals are measured every so many steps, or never with 0; raise --evaluate-every.")

    @property
    def evaluation_prompts(self) -> int:
        """Number of harmful prompts in the evaluation."""
        return self.evaluation_limit or (64 if self.dpo.max_steps >= 8 else 10)

    def for_pairs(self, own: int | None = None) -> "TrainingSettings":
        """Return the settings with the steps that their epochs take, over so many own pairs or those to be built."""
        pairs = self.harmful_pairs + self.twin_pairs + self.benign_pairs if own is None else own
        return replace(self, dpo=self.dpo.with_steps(pairs))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as :meth:`from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrainingSettings":
        """Read what :meth:`to_json` wrote."""
        return cls(**(dict(value) | {"dpo": MaskedDPOSettings(**value["dpo"])}))
