"""How long things take on this machine: measured while they are done, stated before they start."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safeneuron.progress import Progress
from safeneuron.training.cost import RunWork
from safeneuron.workspace import workspace, write_json

ROUGHLY = {
    "answer": 1.2,
    "bulk answer": 0.45,
    "scoring": 80.0,
    "run answer": 0.45,
    "run scoring": 80.0,
    "run reference": 0.8,
    "run pair": 3.0,
    "run opening": 30.0,
}
"""Seconds of one idle core with the default model: per answer of 64 tokens (a few at a time, or 32), per
scoring on the 800 built-in prompts, per preference pair's reference log-probabilities, per pair of an
optimiser step, per start of a run. A run has half of the cores, so that its paces are kept apart."""


@contextmanager
def measured(kind: str, items: int) -> Iterator[None]:
    """Time the block and keep its seconds per item for the next estimate; an interrupted one does not count."""
    start = time.monotonic()
    yield
    _keep(kind, time.monotonic() - start, items)


def timing(progress: Progress, step: str, kind: str, items: int) -> Progress:
    """Return a progress that also keeps the pace of one of its steps, from its report of 0 to that of 1."""
    began: float | None = None

    def report(name: str, fraction: float) -> None:
        nonlocal began
        if name == step and fraction == 0.0:
            began = time.monotonic()
        elif name == step and fraction >= 1.0 and began is not None:
            _keep(kind, time.monotonic() - began, items)
            began = None
        progress(name, fraction)

    return report


def of_answers(count: int, bulk: bool = False) -> str:
    """Say how long generating so many answers takes, a few at a time or in big batches."""
    return _words({"bulk answer" if bulk else "answer": count})


def of_scoring() -> str:
    """Say how long scoring a model on the built-in prompts takes."""
    return _words({"scoring": 1})


def of_training(work: RunWork) -> tuple[str, str]:
    """Say how long the optimiser steps of a run take, and the whole run with pairs, scoring and evaluation."""
    steps = {"run pair": work.trained_pairs}
    rest = {
        "run opening": 1,
        "run answer": work.answers,
        "run reference": work.pairs,
        "run scoring": work.scorings,
    }
    return _duration(_seconds(steps)), _words(steps | rest)


def _seconds(items: dict[str, int]) -> float:
    known = _known()
    return sum(known.get(kind, ROUGHLY[kind]) * count for kind, count in items.items())


def _words(items: dict[str, int]) -> str:
    known = _known()
    measured_here = all(kind in known for kind, count in items.items() if count and kind != "run opening")
    note = "as measured here" if measured_here else "a guess: one idle core, the default model"
    return f"{_duration(_seconds(items))}, {note}"


def _keep(kind: str, seconds: float, items: int) -> None:
    if items:
        write_json(_path(), _known() | {kind: seconds / items})


def _known() -> dict[str, float]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _path() -> Path:
    return workspace() / "pace.json"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {round(seconds / 60)} min"
