"""What sets one model apart from another: scores neuron by neuron, sets layer by layer, refusal rates.

Always the first model less the second, as on the Neurons page: gained is what only the first has.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.difference import paired_difference
from safeneuron.robustness import PREFIXES, RobustnessTable
from safeneuron.score_frames import score_frame
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.workspace import replacing


def require_same_shape(first: ModelCard, second: ModelCard) -> None:
    """Raise :class:`UserError` when the two models have no neurons in common to compare."""
    shapes = [(card.n_layers, card.d_mlp) for card in (first, second)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"{first.title} has {shapes[0][0]} layers of {shapes[0][1]} neurons, {second.title} {shapes[1][0]} of "
            f"{shapes[1][1]}, so there is no difference per neuron; choose two models of one shape."
        )


def score_difference(first: ScoreTable, second: ScoreTable) -> pd.DataFrame:
    """Return a row per neuron: layer, index, and the difference of every score and of both means."""
    frame, other = score_frame(first), score_frame(second)
    columns = [name for name in frame.columns if name not in ("layer", "index")]
    return frame.assign(**{name: frame[name] - other[name] for name in columns})


def write_difference(first: ScoreTable, second: ScoreTable, folder: Path) -> None:
    """Write ``difference.parquet``, a row per neuron, into a folder."""
    with replacing(folder / "difference.parquet") as staging:
        score_difference(first, second).to_parquet(staging, index=False)


def largest_changes(difference: pd.DataFrame, limit: int = 10) -> dict[str, list[dict[str, Any]]]:
    """Return, by score, the neurons whose score differs most, either way."""
    found = {}
    for name in identifying_scores():
        rows = difference.loc[difference[name].abs().nlargest(limit).index]
        found[name] = [
            {"layer": int(layer), "index": int(index), "difference": float(value)}
            for layer, index, value in zip(rows["layer"], rows["index"], rows[name], strict=True)
        ]
    return found


def set_changes(first: Mapping[str, NeuronSet], second: Mapping[str, NeuronSet]) -> dict[str, dict[str, Any]]:
    """Return, by set, how many neurons both models' sets share, and how many only one has, per layer."""
    changes = {}
    for name, found in first.items():
        gained, lost = found - second[name], second[name] - found
        changes[name] = {
            "count": len(found),
            "other_count": len(second[name]),
            "shared": len(found & second[name]),
            "gained": len(gained),
            "lost": len(lost),
            "gained_per_layer": gained.per_layer(),
            "lost_per_layer": lost.per_layer(),
        }
    return changes


def rate_changes(first: RobustnessTable, second: RobustnessTable) -> list[dict[str, Any]]:
    """Return a row per condition: both models' rates on the same prompts, and their difference in points."""
    rows = []
    for one, other in zip(first.results, second.results, strict=True):
        row: dict[str, Any] = {"condition": one.condition, "judge": one.refusal.judge, "draws": one.draws}
        for kind, here in one.by_kind().items():
            prefix, there = PREFIXES[kind], other.by_kind()[kind]
            verdicts = (_refused(table.answers, one.condition, kind) for table in (first, second))
            difference = paired_difference(*verdicts, judge=here.judge)
            row |= {
                f"{prefix}n": here.n,
                f"{prefix}refusal_rate": here.value,
                f"{prefix}other_refusal_rate": there.value,
                f"{prefix}difference_points": difference.points,
                f"{prefix}difference_interval": [difference.low, difference.high],
            }
        rows.append(row)
    return rows


def _refused(answers: pd.DataFrame, condition: str, kind: str) -> Sequence[float]:
    """Return, per prompt in the order asked, the share of draws in which it was refused."""
    chosen = answers[(answers["condition"] == condition) & (answers["kind"] == kind)]
    draws = chosen["draw"].nunique()
    return chosen["refused"].to_numpy(dtype=np.float64).reshape(draws, -1).mean(axis=0)
