"""What a degradation curve is asked to show; read by pages and the command line, so without torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from safeneuron.ablation.specification import FACTORS, KINDS
from safeneuron.errors import UserError
from safeneuron.prompts.answers import MAX_NEW_TOKENS
from safeneuron.prompts.choices import BUILT_IN
from safeneuron.prompts.evaluated import EvaluationPrompts, built_in_prompts
from safeneuron.refusal.judge import DEFAULT_JUDGE
from safeneuron.scores.score import scores

LEAST_DRAWS = 5


@dataclass(frozen=True)
class DegradationSettings:
    """One curve: neurons are removed in the order of a score, the highest first.

    Parameters
    ----------
    score : str
        Whose order it is; taken with its own options, at the last prompt token.
    prompts : str
        The classes that the score compares (:func:`safeneuron.prompts.choices.chosen_classes`).
    most : int
        Neurons removed at the last step.
    steps : int
        Steps from 1 neuron to ``most``, evenly on a logarithmic scale; equal ones count once.
    draws : int
        Random controls at a step, each with as many neurons in every layer as the score's; at least 5.
    controls_every : int
        Every which step has controls, counted back from the last one.
    generated : bool
        Whether prompts are answered and the answers judged; otherwise only first-token refusal log-odds, perplexity
        and KL are measured: seconds a step instead of minutes.
    harmful, benign, twins : int
        How many prompts of each kind, of the built-in ``test`` part.
    control_kinds : bool
        Whether controls answer benign prompts and safe twins too, and not only the harmful ones.
    kind, factor
        The ablation, see :class:`safeneuron.ablation.specification.Ablation`; at all positions.
    judge : str
    max_new_tokens : int

    Raises
    ------
    UserError
        When a value makes no curve.
    """

    score: str = "SAS"
    prompts: str = BUILT_IN
    most: int = 256
    steps: int = 9
    draws: int = LEAST_DRAWS
    controls_every: int = 2
    generated: bool = True
    harmful: int = 40
    benign: int = 20
    twins: int = 20
    control_kinds: bool = False
    kind: str = "zero"
    factor: float = 0.0
    judge: str = DEFAULT_JUDGE
    max_new_tokens: int = MAX_NEW_TOKENS

    def __post_init__(self) -> None:
        if self.score not in scores():
            raise UserError(f"There is no score {self.score!r}; choose one of: {', '.join(scores())}.")
        if scores()[self.score].needs_other:
            raise UserError(f"{self.score} compares two models; choose a score of one model for the curve.")
        if self.draws < LEAST_DRAWS:
            raise UserError(f"A band needs at least {LEAST_DRAWS} random controls; ask for more.")
        if min(self.harmful, self.benign) < 1 or self.twins < 0:
            raise UserError("A curve needs at least one harmful and one benign prompt; ask for more.")
        if self.most < 2 or self.steps < 2 or self.controls_every < 1 or self.max_new_tokens < 1:
            raise UserError("A curve needs at least two steps and two neurons; ask for more.")
        if self.kind not in KINDS or not FACTORS[0] <= self.factor <= FACTORS[1]:
            raise UserError(
                f"Choose an ablation of {', '.join(KINDS)}, with a factor from {FACTORS[0]:g} to {FACTORS[1]:g}."
            )

    @classmethod
    def quick(cls, **settings: Any) -> "DegradationSettings":
        """Return a curve without answers, on few prompts and with few controls: some minutes on one core."""
        return cls(**{"generated": False, "controls_every": 4, "harmful": 16, "benign": 8, "twins": 8} | settings)

    def counts(self, available: int) -> list[int]:
        """Return the numbers of neurons removed, ascending from 0, where so many can be."""
        most = min(self.most, available)
        return [0, *sorted({round(float(count)) for count in np.geomspace(1, most, self.steps)})] if most else [0]

    def asked(self, kind: str) -> int:
        """Return how many prompts of a kind are to be answered: harmful, benign or twin."""
        return {"harmful": self.harmful, "benign": self.benign, "twin": self.twins}[kind]

    def evaluated(self) -> EvaluationPrompts:
        """Return the prompts."""
        part = built_in_prompts()
        return EvaluationPrompts(
            part.harmful.head(self.harmful), part.benign.head(self.benign), part.twins.head(self.twins)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as :meth:`from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "DegradationSettings":
        """Read what :meth:`to_json` wrote."""
        return cls(**value)
