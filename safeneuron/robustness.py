"""What ablation does to refusals: the ORI / ES / SAS / FULL / RANDOM table.

The conditions of SafeNeuron's Table 1 (arXiv 2602.12158), with the control that it lacks: as many
random neurons per layer as FULL has. Refusal rates are of answers generated greedily and judged;
every answer is kept, so that a person can check the count.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from safeneuron.ablation import ablate
from safeneuron.generation import MAX_NEW_TOKENS, Answer, generate
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet, random_like
from safeneuron.progress import Progress, silent
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import DEFAULT_JUDGE, Judge, judge_named
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.refusal.rates import Rate, rate, rate_of
from safeneuron.workspace import fingerprint, replacing, workspace, write_json

CONDITIONS = ("ORI", "ES", "SAS", "FULL", "RANDOM")


@dataclass(frozen=True)
class ConditionResult:
    """Refusals under one ablation.

    Parameters
    ----------
    condition : str
        ORI, ES, SAS, FULL or RANDOM.
    neurons : int
        Number of neurons ablated.
    refusal, benign_refusal : Rate
        On harmful and on benign prompts; for RANDOM the mean over ``draws`` draws.
    draws : int
        Random draws behind the rates; 1 elsewhere.
    """

    condition: str
    neurons: int
    refusal: Rate
    benign_refusal: Rate
    draws: int

    def to_row(self) -> dict[str, Any]:
        """Return the row that ``evaluate`` prints."""
        return {
            "condition": self.condition,
            "neurons": self.neurons,
            "n": self.refusal.n,
            "refusal_rate": self.refusal.value,
            "interval": [self.refusal.low, self.refusal.high],
            "judge": self.refusal.judge,
            "benign_n": self.benign_refusal.n,
            "benign_refusal_rate": self.benign_refusal.value,
            "benign_interval": [self.benign_refusal.low, self.benign_refusal.high],
            "draws": self.draws,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ConditionResult":
        """Read what :meth:`to_row` wrote."""
        refusal = Rate(row["refusal_rate"], row["n"], *row["interval"], judge=row["judge"])
        benign = Rate(row["benign_refusal_rate"], row["benign_n"], *row["benign_interval"], judge=row["judge"])
        return cls(row["condition"], row["neurons"], refusal, benign, row["draws"])


@dataclass(frozen=True)
class RobustnessTable:
    """The results of every condition, and the answers behind them.

    Parameters
    ----------
    model : str
        Fingerprint of the model.
    results : tuple of ConditionResult
    answers : pandas.DataFrame
        Columns condition, draw, kind (harmful or benign), prompt, answer, refused, because.
    """

    model: str
    results: tuple[ConditionResult, ...]
    answers: pd.DataFrame

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON-ready row per condition."""
        return [result.to_row() for result in self.results]


@dataclass(frozen=True)
class EvaluationSettings:
    """What the numbers depend on, beside the model, the sets and the prompts.

    Parameters
    ----------
    judge : str
    random_draws : int
        How many random sets RANDOM is the mean of.
    max_new_tokens, batch_size : int
    """

    judge: str = DEFAULT_JUDGE
    random_draws: int = 1
    max_new_tokens: int = MAX_NEW_TOKENS
    batch_size: int = 64


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
    save_table(table, _folder(table.model, sets, harmful, benign, settings))
    return table


def answers_under(
    loaded: LoadedModel,
    neurons: NeuronSet | None,
    prompts: PromptSet,
    judge: str = DEFAULT_JUDGE,
    max_new_tokens: int = MAX_NEW_TOKENS,
    progress: Progress = silent,
) -> tuple[list[dict[str, Any]], Rate]:
    """Answer prompts under one ablation.

    Returns
    -------
    rows : list of dict
        prompt, answer, refused, because (the deciding phrase) and refusal_score (first-token
        log-odds), in the order of the prompts.
    refusal : Rate
    """
    named = judge_named(judge)
    with ablate(loaded, neurons):
        scores = dict(zip(prompts.prompts, refusal_scores(loaded, prompts.prompts, progress=progress), strict=True))

        def judged(answers: list[Answer]) -> list[dict[str, Any]]:
            rows = []
            for answer in answers:
                verdict = named.verdict(answer.prompt, answer.text)
                rows.append(
                    {
                        "prompt": answer.prompt,
                        "answer": answer.text,
                        "refused": verdict.refused,
                        "because": verdict.because,
                        "refusal_score": float(scores[answer.prompt]),
                    }
                )
            return rows

        rows = judged(generate(loaded, prompts.prompts, max_new_tokens, progress=progress))
    return rows, rate_of((row["refused"] for row in rows), named.name)


def kept_evaluation(
    model: str, sets: Mapping[str, NeuronSet], harmful: PromptSet, benign: PromptSet, settings: EvaluationSettings
) -> RobustnessTable | None:
    """Return an evaluation that was kept, or None; needs no model in memory."""
    folder = _folder(model, sets, harmful, benign, settings)
    if not folder.is_dir():
        return None
    return load_table(folder)


def save_table(table: RobustnessTable, folder: Path) -> None:
    """Write the rows as JSON and the answers as parquet."""
    with replacing(folder) as staging:
        staging.mkdir()
        write_json(staging / "rates.json", {"model": table.model, "rows": table.rows()})
        table.answers.to_parquet(staging / "answers.parquet", index=False)


def load_table(folder: Path) -> RobustnessTable:
    """Read what :func:`save_table` wrote."""
    facts = json.loads((folder / "rates.json").read_text(encoding="utf-8"))
    results = tuple(ConditionResult.from_row(row) for row in facts["rows"])
    return RobustnessTable(facts["model"], results, pd.read_parquet(folder / "answers.parquet"))


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


def _folder(
    model: str, sets: Mapping[str, NeuronSet], harmful: PromptSet, benign: PromptSet, settings: EvaluationSettings
) -> Path:
    chosen = {name: sorted(neurons.neurons) for name, neurons in sets.items()}
    name = fingerprint("evaluation", model, chosen, harmful.prompts, benign.prompts, asdict(settings))
    return workspace() / "evaluations" / name
