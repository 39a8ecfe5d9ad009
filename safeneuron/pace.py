"""How long things take on this machine: measured while they are done, stated before they start.

A pace belongs to the model, device and precision that it was measured with. That of another model is
reckoned from the one nearest in size, and what is said says so.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

from safeneuron.models.card import ModelCard
from safeneuron.models.device import placement
from safeneuron.models.parameters import architecture_of
from safeneuron.models.parity_report import kept_parity
from safeneuron.progress import Progress
from safeneuron.prompts.answers import MAX_NEW_TOKENS
from safeneuron.scores.result import ScoreRequest
from safeneuron.training.cost import RunWork
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


def of_answers(count: int, card: ModelCard, bulk: bool = False) -> str:
    """Say how long generating so many answers takes, a few at a time or in big batches."""
    return _words({"bulk answer" if bulk else "answer": count}, card)


def of_scoring(card: ModelCard, is_open: bool = True) -> str:
    """Say how long scoring a model on the built-in prompts takes.

    Parameters
    ----------
    is_open : bool
        Whether the model is in memory; if not, here as below, what opening and checking it takes is reckoned in.
    """
    return _words({"scoring": 1}, card, is_open)


def of_score(request: ScoreRequest, card: ModelCard, is_open: bool = True) -> str:
    """Say how long computing one score takes: as it took before, or from the passes that it costs."""
    needs_model = request.score.needs_model or bool(request.missing())
    return _words(_items(request, card), card, is_open or not needs_model)


def of_scores(requests: Sequence[ScoreRequest], card: ModelCard, is_open: bool = True) -> str:
    """Say how long computing several scores takes: at most, since those on the same prompts share their passes."""
    items = {
        "scoring": sum(request.score.passes * _prompts_left(request) for request in requests) / BUILT_IN_PROMPTS,
        "bulk answer": max(map(_answers_left, requests)),
    }
    return f"at most {_words(items, card, is_open)}"


@contextmanager
def measured_score(request: ScoreRequest, card: ModelCard) -> Iterator[None]:
    """Time the block, which computes one score, for the next estimate."""
    with measured(_score_kind(request), _prompts_left(request), card):
        yield


def _items(request: ScoreRequest, card: ModelCard) -> dict[str, float]:
    kind = _score_kind(request)
    if card.fingerprint in _known().get(kind, {}):
        return {kind: _prompts_left(request)}
    passes = request.score.passes * _prompts_left(request) / BUILT_IN_PROMPTS
    return {"scoring": passes, "bulk answer": _answers_left(request)}


def _prompts_left(request: ScoreRequest) -> int:
    return max(request.n_prompts - request.prompts_read(), 1)


def _answers_left(request: ScoreRequest) -> float:
    """Return how many answers it still needs, in answers of the usual length."""
    return request.answers_missing() * request.needed_answers.max_new_tokens / MAX_NEW_TOKENS


def _score_kind(request: ScoreRequest) -> str:
    # Options decide how long it takes, and what was observed or answered before how little.
    options = ",".join(f"{name}={value}" for name, value in sorted(request.options.items()))
    waiting = [*request.missing(), *(["answers"] if request.answers_missing() else [])]
    return f"score {request.name} {options} {'+'.join(waiting)}".strip()


def of_looks(count: int, card: ModelCard, is_open: bool = True) -> str:
    """Say how long looking inside a prompt so many times takes."""
    return _words({"look": count}, card, is_open)


def of_clusters(card: ModelCard, is_read: bool, is_open: bool = True) -> str:
    """Say how long ordering the neurons by cluster takes, where the activations are read already or not."""
    return _words({"clustering": 1, "scoring": int(not is_read)}, card, is_open or is_read)


def of_reading(count: int, card: ModelCard, is_open: bool = True) -> str:
    """Say how long reading every neuron's activation on so many prompts takes."""
    return _words({"reading": count}, card, is_open)


def of_examination(card: ModelCard, is_open: bool = True) -> str:
    """Say how long examining one neuron takes."""
    return _words({"examination": 1}, card, is_open)


def of_representation(card: ModelCard) -> str:
    """Say how long comparing the layers' representations takes."""
    return _words({"representation": 1}, card)


def of_opening(card: ModelCard) -> str:
    """Say how long opening a model takes."""
    return _words({"opening": 1}, card)


def of_training(work: RunWork, card: ModelCard) -> tuple[str, str]:
    """Say how long the optimiser steps of a run take, and the whole run with pairs, scoring and evaluation."""
    steps = {"run pair": work.trained_pairs, "run effect": work.panels}
    rest = {
        "run opening": 1,
        "run answer": work.answers,
        "run reference": work.pairs,
        "run scoring": work.scorings,
    }
    return _duration(_reckoned(steps, card)[0]), _words(steps | rest, card)


def of_curve(readings: int, answers: int, card: ModelCard) -> str:
    """Say how long a job takes that reads so many prompts for a degradation curve, and generates so many answers."""
    return _words({"run reading": readings, "run answer": answers, "run opening": 1}, card)


def of_analysis(count: int, card: ModelCard) -> str:
    """Say how long a job takes that reads so many prompts for the Overlap page and compares what it read."""
    return _words({"run reading": count, "representation": 1, "run opening": int(count > 0)}, card)


def of_pruning(effects: int, answers: int, card: ModelCard) -> str:
    """Say how long a job takes that tries so many ablations on a few prompts, and generates so many answers."""
    return _words({"run effect": effects, "run answer": answers, "run opening": 1}, card)


def _words(items: Mapping[str, float], card: ModelCard, is_open: bool = True) -> str:
    starting = 0.0
    if not is_open:
        items = {"opening": 1, "self-check": int(kept_parity(card.fingerprint) is None)} | dict(items)
        if "torch" not in sys.modules:
            starting = _known().get(STARTING, {}).get(placement().words, STARTING_SECONDS)
    seconds, note = _reckoned(items, card)
    return f"{_duration(starting + seconds)}, {note}"


def _reckoned(items: Mapping[str, float], card: ModelCard) -> tuple[float, str]:
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


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"
