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

from safeneuron.neurons import NeuronSet
from safeneuron.prompts.answers import MAX_NEW_TOKENS
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judge import DEFAULT_JUDGE
from safeneuron.refusal.rates import Rate
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

    def answers(self, harmful: PromptSet, benign: PromptSet) -> int:
        """Return how many answers such an evaluation generates."""
        return (len(CONDITIONS) - 1 + self.random_draws) * (len(harmful) + len(benign))


def kept_evaluation(
    model: str, sets: Mapping[str, NeuronSet], harmful: PromptSet, benign: PromptSet, settings: EvaluationSettings
) -> RobustnessTable | None:
    """Return an evaluation that was kept, or None; needs no model in memory.

    A damaged one counts as none, since it can be made again.
    """
    folder = evaluation_folder(model, sets, harmful, benign, settings)
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
    model: str, sets: Mapping[str, NeuronSet], harmful: PromptSet, benign: PromptSet, settings: EvaluationSettings
) -> Path:
    """Return where the evaluation that answers exactly this question is kept, or will be."""
    chosen = {name: sorted(neurons.neurons) for name, neurons in sets.items()}
    name = fingerprint("evaluation", model, chosen, harmful.prompts, benign.prompts, asdict(settings))
    return workspace() / "evaluations" / name
