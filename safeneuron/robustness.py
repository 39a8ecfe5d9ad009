"""What ablation does to refusals: the ORI / ES / SAS / FULL / RANDOM table, and how it is kept.

The conditions of SafeNeuron's Table 1 (arXiv 2602.12158), with the control that it lacks: as many
random neurons per layer as FULL has. The table is made by evaluation.py; reading a kept one needs no
torch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from safeneuron.neurons import NeuronSet, random_like
from safeneuron.prompts.answers import MAX_NEW_TOKENS, KeptAnswers
from safeneuron.prompts.evaluated import EvaluationPrompts
from safeneuron.refusal.judge import DEFAULT_JUDGE
from safeneuron.refusal.rates import Rate
from safeneuron.workspace import fingerprint, replacing, workspace, write_json

CONDITIONS = ("ORI", "ES", "SAS", "FULL", "RANDOM")

PREFIXES = {"harmful": "", "benign": "benign_", "twin": "twin_"}
"""Before the names of a row's values, by the kind of prompt that they are of."""


@dataclass(frozen=True)
class ConditionResult:
    """Refusals under one ablation.

    Parameters
    ----------
    condition : str
        ORI, ES, SAS, FULL or RANDOM, or the name of another set.
    neurons : int
        Number of neurons ablated.
    refusal, benign_refusal : Rate
        On harmful and on benign prompts; for RANDOM the mean over ``draws`` draws.
    draws : int
        Random draws behind the rates; 1 elsewhere.
    twin_refusal : Rate or None
        On safe twins; None where there were none among the prompts.
    """

    condition: str
    neurons: int
    refusal: Rate
    benign_refusal: Rate
    draws: int
    twin_refusal: Rate | None = None

    def by_kind(self) -> Mapping[str, Rate]:
        """Return the rates by kind of prompt: harmful, benign, and twin where there is one."""
        kinds = {"harmful": self.refusal, "benign": self.benign_refusal, "twin": self.twin_refusal}
        return {kind: found for kind, found in kinds.items() if found is not None}

    def to_row(self) -> dict[str, Any]:
        """Return the row that ``evaluate`` prints."""
        row: dict[str, Any] = {"condition": self.condition, "neurons": self.neurons, "judge": self.refusal.judge}
        for kind, found in self.by_kind().items():
            prefix = PREFIXES[kind]
            row |= {
                f"{prefix}n": found.n,
                f"{prefix}refusal_rate": found.value,
                f"{prefix}interval": [found.low, found.high],
            }
        return row | {"draws": self.draws}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ConditionResult":
        """Read what :meth:`to_row` wrote."""
        harmful, benign, twin = (
            Rate(row[f"{prefix}refusal_rate"], row[f"{prefix}n"], *row[f"{prefix}interval"], judge=row["judge"])
            if f"{prefix}n" in row
            else None
            for prefix in PREFIXES.values()
        )
        return cls(row["condition"], row["neurons"], harmful, benign, row["draws"], twin)


@dataclass(frozen=True)
class RobustnessTable:
    """The results of every condition, and the answers behind them.

    Parameters
    ----------
    model : str
        Fingerprint of the model.
    results : tuple of ConditionResult
    answers : pandas.DataFrame
        Columns condition, draw, kind (harmful, benign or twin), prompt, answer, refused, because.
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
    max_new_tokens : int
    """

    judge: str = DEFAULT_JUDGE
    random_draws: int = 1
    max_new_tokens: int = MAX_NEW_TOKENS


@dataclass(frozen=True)
class Ablated:
    """One round of answers of an evaluation.

    Parameters
    ----------
    condition : str
    draw : int
        Which random set, for RANDOM; 0 elsewhere.
    neurons : NeuronSet or None
        What is switched off; None for ORI.
    """

    condition: str
    draw: int
    neurons: NeuronSet | None


def plan(sets: Mapping[str, NeuronSet], random_draws: int) -> list[Ablated]:
    """Return what an evaluation switches off, in order: :data:`CONDITIONS`, then the other sets of the mapping."""
    fixed = [Ablated("ORI", 0, None), *(Ablated(name, 0, sets[name]) for name in ("ES", "SAS", "FULL"))]
    control = [Ablated("RANDOM", draw, random_like(sets["FULL"], draw)) for draw in range(random_draws)]
    return fixed + control + [Ablated(name, 0, found) for name, found in sets.items() if name not in CONDITIONS]


def answers_to_give(
    model: str, sets: Mapping[str, NeuronSet], prompts: EvaluationPrompts, settings: EvaluationSettings
) -> int:
    """Return how many answers an evaluation has still to generate; needs no model in memory."""
    asked = {prompt for chosen in prompts.by_kind().values() for prompt in chosen.prompts}
    # Two conditions with the same neurons, as ES and FULL may be, share their answers.
    distinct = {
        ablated.neurons.neurons if ablated.neurons else frozenset(): ablated.neurons
        for ablated in plan(sets, settings.random_draws)
    }
    return sum(
        sum(kept.get(prompt) is None for prompt in asked)
        for kept in (KeptAnswers(model, neurons, settings.max_new_tokens) for neurons in distinct.values())
    )


def kept_evaluation(
    model: str, sets: Mapping[str, NeuronSet], prompts: EvaluationPrompts, settings: EvaluationSettings
) -> RobustnessTable | None:
    """Return an evaluation that was kept, or None; needs no model in memory.

    A damaged one counts as none, since it can be made again.
    """
    folder = evaluation_folder(model, sets, prompts, settings)
    if not folder.is_dir():
        return None
    try:
        return load_table(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


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


def evaluation_folder(
    model: str, sets: Mapping[str, NeuronSet], prompts: EvaluationPrompts, settings: EvaluationSettings
) -> Path:
    """Return where the evaluation that answers exactly this question is kept, or will be."""
    chosen = {name: sorted(neurons.neurons) for name, neurons in sets.items()}
    asked = {kind: found.prompts for kind, found in prompts.by_kind().items()}
    name = fingerprint("evaluation by kind", model, chosen, asked, asdict(settings))
    return workspace() / "evaluations" / name
