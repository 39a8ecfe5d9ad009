"""How long work will take, in words: what pages and commands say before it starts, and how that is known."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from safeneuron.models.card import ModelCard
from safeneuron.models.parity_report import kept_parity
from safeneuron.pace import BUILT_IN_PROMPTS, is_measured, measured, reckoned, starting_seconds
from safeneuron.prompts.answers import MAX_NEW_TOKENS
from safeneuron.scores.result import ScoreRequest
from safeneuron.training.cost import RunWork


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
    if is_measured(kind, card):
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
    return _duration(reckoned(steps, card)[0]), _words(steps | rest, card)


def of_curve(readings: int, answers: int, card: ModelCard) -> str:
    """Say how long a job takes that reads so many prompts for a degradation curve, and generates so many answers."""
    return _words({"run reading": readings, "run answer": answers, "run opening": 1}, card)


def of_analysis(left: Sequence[int], card: ModelCard) -> str:
    """Say how long a job takes that reads prompts for the Overlap page and compares what it read.

    Parameters
    ----------
    left : sequence of int
        How many prompts are still to read, for each of the models that are compared; each is as large as the first.
    card : ModelCard
        The first one's.
    """
    openings = sum(count > 0 for count in left)
    return _words({"run reading": sum(left), "representation": len(left), "run opening": openings}, card)


def of_attack(scorings: int, answers: int, card: ModelCard) -> str:
    """Say how long it takes at most to score a model so many times, and to generate so many answers."""
    return f"at most {_words({'scoring': scorings, 'bulk answer': answers}, card)}"


def of_pruning(effects: int, answers: int, card: ModelCard) -> str:
    """Say how long a job takes that tries so many ablations on a few prompts, and generates so many answers."""
    return _words({"run effect": effects, "run answer": answers, "run opening": 1}, card)


def _words(items: Mapping[str, float], card: ModelCard, is_open: bool = True) -> str:
    starting = 0.0
    if not is_open:
        items = {"opening": 1, "self-check": int(kept_parity(card.fingerprint) is None)} | dict(items)
        if "torch" not in sys.modules:
            starting = starting_seconds()
    seconds, note = reckoned(items, card)
    return f"{_duration(starting + seconds)}, {note}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"
