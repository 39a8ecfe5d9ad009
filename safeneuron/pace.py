"""How long things take on this machine: measured while they are done, stated before they start.

What was measured is kept by model. For a model that was never timed it is reckoned from one that was, since
the time of a pass is that of its multiplications: one a token for every parameter that the token meets.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import model_card
from safeneuron.models.device import placement
from safeneuron.models.parameters import architecture_of
from safeneuron.runs import store
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.start import KIND, PHASES
from safeneuron.workspace import workspace, write_json

ROUGHLY = {"answer": 1.0, "bulk answer": 0.5, "scoring": 60.0, "step": 6.0, "opening": 2.0}
"""Seconds per answer of 64 tokens (a few at a time, or many), per scoring of the built-in prompts, per
optimiser step of 8 pairs, per opening: seen with the default model on 2 cores."""

ROUGHLY_PARAMETERS = 134_000_000
"""Of the default model."""


@dataclass(frozen=True)
class Pace:
    """What was measured of one model.

    Parameters
    ----------
    title : str
        The model's.
    parameters : int
        Those that every token meets: of the layers and the unembedding.
    place : str
        Where and in which precision it computed.
    seconds : float
        Per item.
    """

    title: str
    parameters: int
    place: str
    seconds: float


@contextmanager
def measured(kind: str, items: int, card: ModelCard) -> Iterator[None]:
    """Time the block and keep its seconds per item for the next estimate; an interrupted one does not count."""
    start = time.monotonic()
    yield
    if items:
        seconds = (time.monotonic() - start) / items
        found = Pace(card.title, _parameters(card) or ROUGHLY_PARAMETERS, placement().words, seconds)
        known = _known()
        write_json(_path(), known | {kind: known.get(kind, {}) | {card.fingerprint: asdict(found)}})


def of_answers(count: int, card: ModelCard, bulk: bool = False) -> str:
    """Say how long generating so many answers takes, a few at a time or in big batches."""
    return _words("bulk answer" if bulk else "answer", count, card)


def of_scoring(card: ModelCard) -> str:
    """Say how long scoring a model on the built-in prompts takes."""
    return _words("scoring", 1, card)


def of_opening(card: ModelCard) -> str:
    """Say how long opening a model takes."""
    return _words("opening", 1, card)


def of_training(settings: TrainingSettings, card: ModelCard) -> tuple[str, str]:
    """Say how long the optimiser steps take, and the whole run with pairs, scoring and evaluation.

    The phases of the last finished run are scaled to these settings and this model; without one, the
    phases' usual shares stand around the seconds per step of the default model.
    """
    steps = settings.dpo.max_steps
    mine = _parameters(card) or ROUGHLY_PARAMETERS
    known = _last_run()
    if known is None:
        larger = mine / ROUGHLY_PARAMETERS
        training = larger * ROUGHLY["step"] * steps * settings.dpo.batch_size / 8
        usual = TrainingSettings()
        rest = larger * ROUGHLY["step"] * usual.dpo.max_steps * (sum(PHASES.values()) / PHASES["Training"] - 1)
        share = settings.evaluation_prompts / usual.evaluation_prompts
        note = "a rough guess from the default model on 2 cores, 6 s per step of 8 pairs"
        return _duration(training), f"{_duration(training + rest * share)} in all ({note})"
    durations, before, timed = known
    theirs = (_parameters(timed) if timed else None) or mine
    larger = mine / theirs
    done = before.dpo.max_steps * before.dpo.batch_size
    training = larger * durations.get("Training", 0.0) * steps * settings.dpo.batch_size / done
    evaluating = durations.get("Evaluating", 0.0) * settings.evaluation_prompts / before.evaluation_prompts
    rest = sum(seconds for phase, seconds in durations.items() if phase not in ("Training", "Evaluating"))
    whole = _duration(training + larger * (evaluating + rest))
    same = timed is None or timed.fingerprint == card.fingerprint or theirs == mine
    note = "from the last run on this machine" if same else f"reckoned from the last run here, of {timed.title}"
    return _duration(training), f"{whole} in all ({note})"


def _last_run() -> tuple[dict[str, float], TrainingSettings, ModelCard | None] | None:
    """Return the seconds of each phase of the newest finished run, its settings, and its model if it is there."""
    for info in store.list_runs(KIND):
        if info.status != "finished" or not store.has_artifact(info.id, "settings.json"):
            continue
        events = store.events(info.id)
        durations = {
            event.text: after.time - event.time
            for event, after in zip(events, events[1:], strict=False)
            if event.text in PHASES
        }
        facts = store.get_json(info.id, "settings")
        try:
            timed = model_card(facts["source"])
        except (KeyError, UserError):
            timed = None
        return (
            durations,
            TrainingSettings.from_json({key: value for key, value in facts.items() if key not in ("source", "set")}),
            timed,
        )
    return None


def _parameters(card: ModelCard) -> int | None:
    """Return how many parameters every token meets, or None while the model's config is not here."""
    sizes = architecture_of(card)
    return sizes.layer_parameters + sizes.embedding_parameters if sizes else None


def _seconds(kind: str, card: ModelCard) -> tuple[float, str]:
    """Return the seconds per item, and where that comes from."""
    known, place = _known().get(kind, {}), placement().words
    paces = {name: Pace(**found) for name, found in known.items()}
    own = paces.get(card.fingerprint)
    if own and own.place == place:
        return own.seconds, "as measured here"
    mine = _parameters(card) or ROUGHLY_PARAMETERS
    others = [pace for pace in paces.values() if pace.place == place]
    if others:
        nearest = min(others, key=lambda pace: abs(log(pace.parameters / mine)))
        return nearest.seconds * mine / nearest.parameters, f"reckoned from {nearest.title}, measured here"
    return ROUGHLY[kind] * mine / ROUGHLY_PARAMETERS, "a rough guess for 2 cores"


def _known() -> dict[str, dict[str, dict]]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _path() -> Path:
    return workspace() / "paces.json"


def _words(kind: str, count: int, card: ModelCard) -> str:
    seconds, source = _seconds(kind, card)
    return f"{_duration(seconds * count)}, {source}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"
