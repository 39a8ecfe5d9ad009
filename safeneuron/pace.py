"""How long things take on this machine: measured while they are done, for what :mod:`safeneuron.duration` says.

A pace belongs to the model, device and precision that it was measured with. That of another model is
reckoned from the one nearest in size, and what is said says so.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

from safeneuron.models.card import ModelCard
from safeneuron.models.device import placement
from safeneuron.models.parameters import architecture_of
from safeneuron.progress import Progress
from safeneuron.workspace import workspace, write_json

ROUGHLY = {
    "opening": 2.0,
    "self-check": 15.0,
    "clustering": 20.0,
    "answer": 1.2,
    "bulk answer": 0.45,
    "scoring": 80.0,
    "look": 3.0,
    "reading": 0.1,
    "examination": 8.0,
    "representation": 15.0,
    "run answer": 0.45,
    "run scoring": 80.0,
    "run reference": 0.8,
    "run pair": 3.0,
    "run opening": 30.0,
    "run reading": 0.11,
    "run effect": 1.5,
}
"""Seconds of one idle core with the default model: per opening, per self-check, per order by cluster, per answer of
64 tokens (a few at a time, or 32), per scoring on the 800 built-in prompts, per prompt whose activations are
kept, per neuron examined, per look inside one prompt, per comparison of the layers' representations, per
preference pair's reference log-probabilities, per pair of an optimiser step, per start of a run, per prompt that
a degradation curve reads and not answers, per ablation that pruning tries. A run has half of the cores, so that
its paces are kept apart."""

STARTING = "starting"
STARTING_SECONDS = 10.0
"""Of importing PyTorch and transformers, once per start of the server; what it took here is kept under ``STARTING``."""

BUILT_IN_PROMPTS = 800
"""How many the pace of scoring is of."""

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
    _keep(kind, time.monotonic() - start, items, card)


def timing(progress: Progress, step: str, kind: str, items: int, card: ModelCard) -> Progress:
    """Return a progress that also keeps the pace of one of its steps, from its report of 0 to that of 1."""
    began: float | None = None

    def report(name: str, fraction: float) -> None:
        nonlocal began
        if name == step and fraction == 0.0:
            began = time.monotonic()
        elif name == step and fraction >= 1.0 and began is not None:
            _keep(kind, time.monotonic() - began, items, card)
            began = None
        progress(name, fraction)

    return report


@contextmanager
def measured_start() -> Iterator[None]:
    """Time the block, in which PyTorch is imported for the first time."""
    start = time.monotonic()
    yield
    write_json(_path(), _known() | {STARTING: {placement().words: time.monotonic() - start}})


def reckoned(items: Mapping[str, float], card: ModelCard) -> tuple[float, str]:
    """Return the seconds of so many items of each kind, and where that is known from: its weakest ground."""
    found = {kind: _pace(kind, card) for kind, count in items.items() if count}
    seconds = sum(items[kind] * pace for kind, (pace, _) in found.items())
    # A run's start is short and nobody times it.
    grounds = [ground for kind, (_, ground) in found.items() if kind != "run opening"]
    if any(ground is None for ground in grounds):
        return seconds, "a guess: one idle core, from the default model"
    return seconds, next(filter(None, grounds), "as measured here")


def _pace(kind: str, card: ModelCard) -> tuple[float, str | None]:
    """Return the seconds per item and the ground: empty where it was measured, None where it is a guess."""
    known, place = _known().get(kind, {}), placement().words
    paces = {name: Pace(**found) for name, found in known.items()}
    own = paces.get(card.fingerprint)
    if own and own.place == place:
        return own.seconds, ""
    mine = _parameters(card) or ROUGHLY_PARAMETERS
    others = [pace for pace in paces.values() if pace.place == place]
    if not others:
        return ROUGHLY[kind] * mine / ROUGHLY_PARAMETERS, None
    nearest = min(others, key=lambda pace: abs(log(pace.parameters / mine)))
    ground = "" if nearest.parameters == mine else f"reckoned from {nearest.title}, measured here"
    return nearest.seconds * mine / nearest.parameters, ground


def _parameters(card: ModelCard) -> int | None:
    """Return how many parameters every token meets, or None while the model's config is not here."""
    sizes = architecture_of(card)
    return sizes.layer_parameters + sizes.embedding_parameters if sizes else None


def is_measured(kind: str, card: ModelCard) -> bool:
    """Return whether this work was timed with this model."""
    return card.fingerprint in _known().get(kind, {})


def starting_seconds() -> float:
    """Return how long PyTorch takes to be imported here."""
    return _known().get(STARTING, {}).get(placement().words, STARTING_SECONDS)


def _keep(kind: str, seconds: float, items: int, card: ModelCard) -> None:
    if items:
        found = Pace(card.title, _parameters(card) or ROUGHLY_PARAMETERS, placement().words, seconds / items)
        known = _known()
        write_json(_path(), known | {kind: known.get(kind, {}) | {card.fingerprint: asdict(found)}})


def _known() -> dict[str, dict[str, dict]]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _path() -> Path:
    return workspace() / "paces.json"
