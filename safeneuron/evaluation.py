"""Answering prompts under ablations and judging the answers: one ablation, or all five conditions.

Refusal rates are of answers generated greedily and judged; every answer is kept, so that a person
can check the count.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safeneuron.ablation import ablate
from safeneuron.generation import generate
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet, random_like
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import MAX_NEW_TOKENS, KeptAnswers
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import DEFAULT_JUDGE, Judge, judge_named
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.refusal.rates import Rate, rate, rate_of
from safeneuron.robustness import (
    CONDITIONS,
    ConditionResult,
    EvaluationSettings,
    RobustnessTable,
    evaluation_folder,
    kept_evaluation,
    save_table,
)


def evaluate(
    loaded: LoadedModel,
    sets: Mapping[str, NeuronSet],
    harmful: PromptSet,
    benign: PromptSet,
    settings: EvaluationSettings = EvaluationSettings(),
    progress: Progress = silent,
) -> RobustnessTable:
    """Answer both prompt sets under every condition and judge the answers.

    Parameters
    ----------
    loaded : LoadedModel
    sets : mapping
        ES, SAS and FULL, from :meth:`safeneuron.scores.score.ScoreTable.select`.
    harmful, benign : PromptSet
    settings : EvaluationSettings
    progress : Progress
        Told "ORI", "ES", ... as step, with the share of the whole evaluation done.
    """
    judge = judge_named(settings.judge)
    plan = _plan(sets, settings.random_draws)
    rows: list[dict[str, Any]] = []
    for number, (condition, draw, neurons) in enumerate(plan):

        def report(step: str, fraction: float) -> None:
            progress(f"Answering under {condition}", (number + fraction) / len(plan))

        with ablate(loaded, neurons):
            prompts = harmful.prompts + benign.prompts
            answers = generate(loaded, prompts, settings.max_new_tokens, settings.batch_size, report)
        for position, answer in enumerate(answers):
            verdict = judge.verdict(answer.prompt, answer.text)
            kind = "harmful" if position < len(harmful) else "benign"
            rows.append(
                {
                    "condition": condition,
                    "draw": draw,
                    "kind": kind,
                    "prompt": answer.prompt,
                    "answer": answer.text,
                    "refused": verdict.refused,
                    "because": verdict.because,
                }
            )
    frame = pd.DataFrame(rows)
    counts = {condition: len(neurons) if neurons else 0 for condition, _, neurons in plan}
    results = tuple(_result(frame, condition, counts[condition], judge) for condition in CONDITIONS)
    return RobustnessTable(loaded.fingerprint, results, frame)


def evaluate_once(
    loaded: LoadedModel,
    sets: Mapping[str, NeuronSet],
    harmful: PromptSet,
    benign: PromptSet,
    settings: EvaluationSettings = EvaluationSettings(),
    progress: Progress = silent,
) -> RobustnessTable:
    """Return the kept evaluation, or make it and keep it; see :func:`evaluate`."""
    kept = kept_evaluation(loaded.fingerprint, sets, harmful, benign, settings)
    if kept:
        return kept
    table = evaluate(loaded, sets, harmful, benign, settings, progress)
    save_table(table, evaluation_folder(table.model, sets, harmful, benign, settings))
    return table


def answers_under(
    loaded: LoadedModel,
    neurons: NeuronSet | None,
    prompts: PromptSet,
    judge: str = DEFAULT_JUDGE,
    max_new_tokens: int = MAX_NEW_TOKENS,
    progress: Progress = silent,
) -> tuple[list[dict[str, Any]], Rate]:
    """Answer prompts under one ablation; answers that were given before are read from disk.

    Returns
    -------
    rows : list of dict
        prompt, answer, refused, because (the deciding phrase) and refusal_score (first-token
        log-odds), in the order of the prompts.
    refusal : Rate
    """
    named = judge_named(judge)
    kept = KeptAnswers(loaded.fingerprint, neurons, max_new_tokens)
    answers = kept.answers(loaded, prompts.prompts, progress)
    with ablate(loaded, neurons):
        scores = refusal_scores(loaded, prompts.prompts, progress=progress)
    rows = []
    for answer, score in zip(answers, scores, strict=True):
        verdict = named.verdict(answer.prompt, answer.text)
        rows.append(
            {
                "prompt": answer.prompt,
                "answer": answer.text,
                "refused": verdict.refused,
                "because": verdict.because,
                "refusal_score": float(score),
            }
        )
    return rows, rate_of((row["refused"] for row in rows), named.name)


def _plan(sets: Mapping[str, NeuronSet], draws: int) -> list[tuple[str, int, NeuronSet | None]]:
    fixed: list[tuple[str, int, NeuronSet | None]] = [
        ("ORI", 0, None),
        ("ES", 0, sets["ES"]),
        ("SAS", 0, sets["SAS"]),
        ("FULL", 0, sets["FULL"]),
    ]
    return fixed + [("RANDOM", draw, random_like(sets["FULL"], draw)) for draw in range(draws)]


def _result(frame: pd.DataFrame, condition: str, neurons: int, judge: Judge) -> ConditionResult:
    chosen = frame[frame["condition"] == condition]
    draws = chosen["draw"].nunique()
    rates = {}
    for kind in ("harmful", "benign"):
        refused = chosen.loc[chosen["kind"] == kind, "refused"]
        rates[kind] = rate(float(refused.mean()), len(refused) // draws, judge.name)
    return ConditionResult(condition, neurons, rates["harmful"], rates["benign"], draws)
