"""The prompts that refusals are counted on: harmful ones, benign ones, and safe twins, each by itself.

Over-refusal has two sides that must not be added up: ordinary benign prompts, and safe twins, which
share their words with a harmful prompt and are refused far more often.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from safeneuron.prompts import builtin
from safeneuron.prompts.promptset import PromptSet

HARMLESS_SHARE = 5 / 16
"""Twins, and as many benign prompts, per harmful prompt of a run's evaluation: 20 and 20 with 64."""

NO_TWINS = PromptSet("no safe twins", ())


@dataclass(frozen=True)
class EvaluationPrompts:
    """Prompts of each kind.

    Parameters
    ----------
    harmful, benign : PromptSet
    twins : PromptSet
        May be empty: a person's own harmful prompts need not have any.
    """

    harmful: PromptSet
    benign: PromptSet
    twins: PromptSet = NO_TWINS

    def by_kind(self) -> Mapping[str, PromptSet]:
        """Return the sets that hold prompts, as harmful, benign and twin."""
        kinds = {"harmful": self.harmful, "benign": self.benign, "twin": self.twins}
        return {kind: prompts for kind, prompts in kinds.items() if len(prompts)}

    def head(self, limit: int | None) -> "EvaluationPrompts":
        """Return the first ``limit`` prompts of each kind, or all."""
        return EvaluationPrompts(self.harmful.head(limit), self.benign.head(limit), self.twins.head(limit))

    def __len__(self) -> int:
        return len(self.harmful) + len(self.benign) + len(self.twins)


def built_in_prompts() -> EvaluationPrompts:
    """Return the prompts that models are evaluated with unless others are given."""
    return EvaluationPrompts(builtin.harmful("test"), builtin.benign("test"), builtin.twins("test"))


def run_prompts(limit: int) -> EvaluationPrompts:
    """Return ``limit`` harmful prompts of the test part for a run's evaluation, the others in proportion."""
    part = built_in_prompts()
    harmful = part.harmful.head(limit)
    each = max(2, round(len(harmful) * HARMLESS_SHARE))
    return EvaluationPrompts(harmful, part.benign.head(each), part.twins.head(each))
