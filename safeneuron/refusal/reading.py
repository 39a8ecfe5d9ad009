"""What the refusal meter reads of one model: the panel's scores as it is and with neurons off."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reading:
    """Refusal scores of the panel's prompts, in nats.

    Parameters
    ----------
    original, ablated : numpy.ndarray
        ``[n]``, in the order of the prompts.
    harmful : sequence of bool
        Which prompts are harmful.
    """

    original: np.ndarray
    ablated: np.ndarray
    harmful: Sequence[bool]

    def average(self, harmful: bool, ablated: bool = True) -> float:
        """Return the mean score of the harmful prompts, or of the benign ones."""
        rows = np.asarray(self.harmful, dtype=bool) == harmful
        return float((self.ablated if ablated else self.original)[rows].mean())

    def shift(self, harmful: bool) -> float:
        """Return by how much the ablation moves the mean."""
        return self.average(harmful) - self.average(harmful, ablated=False)

    def above(self, other: "Reading", harmful: bool) -> float:
        """Return by how much the mean under ablation lies above another model's."""
        return self.average(harmful) - other.average(harmful)

    def count(self, harmful: bool) -> int:
        """Return the number of harmful prompts, or of benign ones."""
        return sum(kind == harmful for kind in self.harmful)
