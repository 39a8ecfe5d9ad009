"""Pruning a set in the background: what the page's button and ``prune`` on the command line both call."""

from dataclasses import replace

from safeneuron import duration
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.names import absolute
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.answers import KeptAnswers
from safeneuron.pruning.result import KeptEffects
from safeneuron.pruning.search import most_effects
from safeneuron.pruning.settings import PruningSettings
from safeneuron.runs.starting import start_job

KIND = "pruning"
JOB = "safeneuron.pruning.job:run"
OPENING, SEARCHING, CHECKING = "Opening the model", "Searching", "Checking on other prompts"
PHASES = {OPENING: 1.0, SEARCHING: 10.0, CHECKING: 6.0}


def start_pruning(card: ModelCard, neurons: NeuronSet, settings: PruningSettings = PruningSettings()) -> str:
    """Start pruning a set in the background and return the run's id; what was tried before is not tried again.

    Raises
    ------
    UserError
        When the set is too small, or the process could not be started.
    """
    check_prunable(neurons)
    asked = {"source": absolute(card.source), "set": neurons.name, **settings.to_json()}
    name = f"Pruning of {neurons.name}, {len(neurons):,} neurons, {card.title}"
    return start_job(name, KIND, JOB, asked | {"pruning": settings.to_json(), "neurons": neurons.to_json()}, PHASES)


def check_prunable(neurons: NeuronSet) -> None:
    """Refuse a set of fewer than two neurons.

    Raises
    ------
    UserError
        When it is.
    """
    if len(neurons) < 2:
        raise UserError(f"{neurons.name} has {len(neurons)} neurons, so there is nothing to leave out; choose another.")


def cost(card: ModelCard, neurons: NeuronSet, settings: PruningSettings = PruningSettings()) -> str:
    """Say how much is still to try and how long that takes at most; needs no model in memory."""
    neurons = replace(neurons, model=card.fingerprint)
    tried = len(KeptEffects(neurons, settings))
    effects = max(0, most_effects(len(neurons)) - tried)
    answers = answers_to_give(neurons, settings)
    already = f", {tried} tried before" if tried else ""
    return (
        f"up to {effects} ablations to try{already}, and {answers} answers to generate: "
        f"{duration.of_pruning(effects, answers, card)}"
    )


def answers_to_give(neurons: NeuronSet, settings: PruningSettings) -> int:
    """Return how many answers the check has at most still to generate; needs no model in memory."""
    asked = settings.checked_on().prompts
    known = (KeptAnswers(neurons.model, off, settings.max_new_tokens) for off in (None, neurons))
    # Nobody knows the subset yet, nor its random control.
    return 2 * len(asked) + sum(kept.get(prompt) is None for kept in known for prompt in asked)
