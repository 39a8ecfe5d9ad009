"""How much a masked-DPO run has to do, counted before it starts; pace.py makes time of it. Needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from safeneuron.neurons import NeuronSet
from safeneuron.prompts.answers import MAX_NEW_TOKENS
from safeneuron.prompts.evaluated import run_prompts
from safeneuron.prompts.pairs import PreferencePair, answers_to_give_for_pairs, limited_counts
from safeneuron.refusal.perplexities import calibration_prompts
from safeneuron.robustness import CONDITIONS, EvaluationSettings, answers_to_give
from safeneuron.training.settings import TrainingSettings

BESIDE_ANSWERS = 93
"""Tokens of answer that take as long as the rest of a preference pair: its prompt, and the step itself.

So that 8 pairs of 6 compared tokens take 0.63 of the time of 8 of 64, as measured with the default model."""


def pairs_in_usual_ones(pairs: int, settings: TrainingSettings) -> int:
    """Return how many pairs with answers of the usual length take as long as these."""
    tokens = min(settings.answer_tokens, settings.dpo.compared_tokens or settings.answer_tokens)
    return ceil(pairs * (BESIDE_ANSWERS + tokens) / (BESIDE_ANSWERS + MAX_NEW_TOKENS))


@dataclass(frozen=True)
class RunWork:
    """What a run does, in items that each take about the same time.

    Parameters
    ----------
    answers : int
        Generated answers: for preference pairs, and for the tables of the evaluations: three after the first round,
        two after each other one.
    pairs : int
        Preference pairs, each of which gets its reference log-probabilities; as :func:`pairs_in_usual_ones`.
    trained_pairs : int
        Pairs in all optimiser steps together; likewise.
    scorings : int
        Times that a model's neurons are scored on the built-in prompts.
    panels : int
        Times that a few prompts are read under one ablation each, to see how much is refused meanwhile.
    """

    answers: int
    pairs: int
    trained_pairs: int
    scorings: int
    panels: int = 0


def work_of(
    model: str,
    sets: Mapping[str, NeuronSet] | None,
    settings: TrainingSettings,
    own_pairs: Sequence[PreferencePair] | None = None,
) -> RunWork:
    """Count what a run has to do, less what is kept of this model already.

    Parameters
    ----------
    model : str
        Fingerprint of the model to train.
    sets : mapping or None
        ES, SAS and FULL; None when the model has not been scored.
    settings : TrainingSettings
    own_pairs : sequence of PreferencePair, optional
    """
    settings = settings.for_pairs(len(own_pairs) if own_pairs else None)
    trained_pairs = settings.dpo.max_steps * settings.dpo.pairs_per_step
    counts = limited_counts(settings.harmful_pairs, settings.twin_pairs, settings.benign_pairs, trained_pairs)
    answers = 0
    if not own_pairs:
        full = sets["FULL"] if sets else None
        missing = sum(counts)
        if sets:
            missing = answers_to_give_for_pairs(model, full, *counts, settings.dpo.seed, settings.answer_tokens)
        # Shorter answers take less time, about in proportion.
        answers = ceil(missing * settings.answer_tokens / MAX_NEW_TOKENS)
    prompts = run_prompts(settings.evaluation_prompts)
    table = len(CONDITIONS) * len(prompts)
    # Each model answers some benign prompts more, by which incoherent answers are told.
    bound = len(calibration_prompts())
    before = answers_to_give(model, sets, prompts, EvaluationSettings()) if sets else table + bound
    # Each round's model is evaluated twice; as it is (ORI) it answers once for both.
    answers += before + settings.rounds * (2 * table - len(prompts) + bound)
    # After every so many steps and the last one; before the first step in the first round only.
    each = -(-settings.dpo.max_steps // settings.evaluate_every) if settings.evaluate_every else 0
    measured = settings.rounds * each + 1 if each else 0
    return RunWork(
        answers,
        pairs_in_usual_ones(len(own_pairs) if own_pairs else sum(counts), settings),
        pairs_in_usual_ones(settings.rounds * trained_pairs, settings),
        settings.rounds + (0 if sets else 1),
        # Once more on the benign prompts.
        measured * (len(CONDITIONS) + 1),
    )
