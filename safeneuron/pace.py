"""How long things take on this machine: measured while they are done, stated before they start."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from safeneuron.runs import store
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.start import KIND, PHASES
from safeneuron.workspace import workspace, write_json

ROUGHLY = {"answer": 1.0, "bulk answer": 0.5, "scoring": 60.0, "step": 6.0}
"""Seconds per answer of 64 tokens (a few at a time, or many), per scoring of the built-in prompts, per
optimiser step of 8 pairs: seen with the prototype on 2 cores."""


@contextmanager
def measured(kind: str, items: int) -> Iterator[None]:
    """Time the block and keep its seconds per item for the next estimate; an interrupted one does not count."""
    start = time.monotonic()
    yield
    if items:
        write_json(_path(), _known() | {kind: (time.monotonic() - start) / items})


def of_answers(count: int, bulk: bool = False) -> str:
    """Say how long generating so many answers takes, a few at a time or in big batches."""
    return _words(*_pace("bulk answer" if bulk else "answer"), count)


def of_scoring() -> str:
    """Say how long scoring a model on the built-in prompts takes."""
    return _words(*_pace("scoring"), 1)


def of_training(settings: TrainingSettings) -> tuple[str, str]:
    """Say how long the optimiser steps take, and the whole run with pairs, scoring and evaluation.

    The phases of the last finished run are scaled to these settings; without one, the phases' usual
    shares stand around the prototype's seconds per step.
    """
    steps = settings.dpo.max_steps
    known = _last_run()
    if known is None:
        training = ROUGHLY["step"] * steps * settings.dpo.batch_size / 8
        usual = TrainingSettings()
        rest = ROUGHLY["step"] * usual.dpo.max_steps * (sum(PHASES.values()) / PHASES["Training"] - 1)
        share = settings.evaluation_prompts / usual.evaluation_prompts
        note = "a rough guess from the prototype on 2 cores: 6 s per step of 8 pairs"
        return _duration(training), f"{_duration(training + rest * share)} in all ({note})"
    durations, before = known
    done = before.dpo.max_steps * before.dpo.batch_size
    training = durations.get("Training", 0.0) * steps * settings.dpo.batch_size / done
    evaluating = durations.get("Evaluating", 0.0) * settings.evaluation_prompts / before.evaluation_prompts
    rest = sum(seconds for phase, seconds in durations.items() if phase not in ("Training", "Evaluating"))
    whole = _duration(training + evaluating + rest)
    return _duration(training), f"{whole} in all (from the last run on this machine)"


def _last_run() -> tuple[dict[str, float], TrainingSettings] | None:
    """Return the seconds of each phase of the newest finished run, and its settings."""
    for info in store.list_runs(KIND):
        if info.status != "finished":
            continue
        events = store.events(info.id)
        durations = {
            event.text: after.time - event.time
            for event, after in zip(events, events[1:], strict=False)
            if event.text in PHASES
        }
        facts = store.get_json(info.id, "settings")
        return durations, TrainingSettings.from_json(
            {key: value for key, value in facts.items() if key not in ("source", "set")}
        )
    return None


def _pace(kind: str) -> tuple[float, bool]:
    known = _known()
    return known.get(kind, ROUGHLY[kind]), kind in known


def _known() -> dict[str, float]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _path():
    return workspace() / "pace.json"


def _words(seconds: float, known: bool, count: int) -> str:
    return f"{_duration(seconds * count)}, {'as measured here' if known else 'a rough guess for 2 cores'}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {round(seconds / 60)} min"
