"""What is measured of a training beside the trainer's own: its curves' names, and what is asked. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safeneuron.neurons import NeuronSet
from safeneuron.refusal.judges.log_odds import JUDGE
from safeneuron.robustness import CONDITIONS

SPEED = "tokens_per_second"
MEMORY = "system/process_memory_megabytes"
"""Resident memory of the run's process."""
PEAK = "system/gpu_peak_memory_megabytes"
"""The most that was in use on the GPU so far."""


@dataclass(frozen=True)
class RefusalChecks:
    """The refusals that are measured while a model is trained.

    Parameters
    ----------
    sets : mapping of str to NeuronSet
        ES, SAS and FULL, each ablated in its turn, and as many random neurons as FULL has (RANDOM).
    every : int
        Optimiser steps from one to the next.
    at_start : bool
        Whether the model is measured before the first step too.
    """

    sets: Mapping[str, NeuronSet]
    every: int
    at_start: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        sets = {name: found.to_json() for name, found in self.sets.items()}
        return {"sets": sets, "every": self.every, "at_start": self.at_start}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RefusalChecks":
        """Read what :meth:`to_json` wrote."""
        sets = {name: NeuronSet.from_json(found) for name, found in value["sets"].items()}
        return cls(**value | {"sets": sets})


def refusal_curve(condition: str) -> str:
    """Return the name of the curve of harmful prompts refused under a condition; it names the judge."""
    return f"refusal/{JUDGE.name}/{condition}"


def benign_curve(condition: str) -> str:
    """Return the name of the curve of benign prompts refused."""
    return f"benign/{JUDGE.name}/{condition}"


def refusal_curves() -> dict[str, str]:
    """Return the curves of refusals by name, each with what it is of."""
    return {refusal_curve(name): name for name in CONDITIONS} | {benign_curve("ORI"): "benign"}
