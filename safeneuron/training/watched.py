"""The names of the curves that are measured of a training beside the trainer's own. Needs no torch."""

from safeneuron.refusal.judges.log_odds import JUDGE
from safeneuron.robustness import CONDITIONS

SPEED = "tokens_per_second"
MEMORY = "system/process_memory_megabytes"
"""Resident memory of the run's process."""
PEAK = "system/gpu_peak_memory_megabytes"
"""The most that was in use on the GPU so far."""


def refusal_curve(condition: str) -> str:
    """Return the name of the curve of harmful prompts refused under a condition; it names the judge."""
    return f"refusal/{JUDGE.name}/{condition}"


def benign_curve(condition: str) -> str:
    """Return the name of the curve of benign prompts refused."""
    return f"benign/{JUDGE.name}/{condition}"


def refusal_curves() -> dict[str, str]:
    """Return the curves of refusals by name, each with what it is of."""
    return {refusal_curve(name): name for name in CONDITIONS} | {benign_curve("ORI"): "benign"}
