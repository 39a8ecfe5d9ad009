"""Measuring a degradation curve in the background: what the page's button and the command line both call."""

from typing import Any

from safeneuron import duration
from safeneuron.degradation.kept import kept_curves
from safeneuron.degradation.plan import Plan, kept_plan
from safeneuron.degradation.settings import DegradationSettings
from safeneuron.models.card import ModelCard
from safeneuron.models.names import absolute
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.choices import BUILT_IN
from safeneuron.runs.starting import start_job

KIND = "degradation"
JOB = "safeneuron.degradation.job:run"
OPENING, SCORING, MEASURING = "Opening the model", "Scoring", "Measuring"
PHASES = {OPENING: 1.0, SCORING: 1.0, MEASURING: 40.0}


def start_curve(card: ModelCard, settings: DegradationSettings, among: NeuronSet | None = None) -> str:
    """Start measuring a curve in the background and return the run's id; points that are on disk are not repeated.

    Parameters
    ----------
    among : NeuronSet, optional
        Only its neurons are removed.

    Raises
    ------
    UserError
        When the process could not be started.
    """
    order = settings.score if among is None else f"{settings.score} in {among.name}"
    classes = "" if settings.prompts == BUILT_IN else settings.prompts
    name = ", ".join(filter(None, ["Degradation curve", order, classes, card.title]))
    asked: dict[str, Any] = {"source": absolute(card.source), "degradation": settings.to_json()}
    asked |= {"among": None if among is None else among.to_json()}
    flat = {key: value for key, value in settings.to_json().items() if key not in asked}
    return start_job(name, KIND, JOB, flat | asked, PHASES)


def kept_rounds(plan: Plan) -> frozenset[tuple[int, int | None]]:
    """Return which rounds of a plan are on disk."""
    found = (curve for curve in kept_curves() if curve.fingerprint == plan.fingerprint)
    return frozenset(point.key for curve in found for point in curve.points)


def cost(card: ModelCard, settings: DegradationSettings, among: NeuronSet | None = None) -> str:
    """Say how much is still to measure and how long that takes; needs no model in memory."""
    plan = kept_plan(settings, card.fingerprint, among)
    if plan is None:
        return "the score has not been computed for this model, so that comes first"
    done = kept_rounds(plan)
    points, answers = len(plan.rounds) - len(done), plan.answers_to_give(done)
    told = f"{points} of {len(plan.rounds)} points to measure" if done else f"{points} points"
    return f"{told}, {answers:,} answers to generate: {duration.of_curve(points * len(plan.prompts), answers, card)}"
