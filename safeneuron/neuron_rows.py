"""The rows of the table of neurons: those that pass a filter, the strongest first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from safeneuron.neurons import NeuronSet
from safeneuron.score_frames import for_people, score_frame
from safeneuron.scores.score import ScoreTable

ALL, MEMBERS, OTHERS = "all", "in the set", "not in the set"
MEMBERSHIPS = (ALL, MEMBERS, OTHERS)


@dataclass(frozen=True)
class RowFilter:
    """Which neurons a table shows.

    Parameters
    ----------
    layers : (int, int), optional
        First and last layer; all if left out.
    membership : str
        Of :data:`MEMBERSHIPS`.
    above : float, optional
        Only neurons whose score is above this.
    """

    layers: tuple[int, int] | None = None
    membership: str = ALL
    above: float | None = None


def neuron_rows(
    table: ScoreTable,
    by: str,
    chosen: NeuronSet,
    shown: RowFilter,
    limit: int | None = None,
    compared: ScoreTable | None = None,
) -> pd.DataFrame:
    """Return a row per neuron that passes the filter, those with the highest score ``by`` first.

    Parameters
    ----------
    chosen : NeuronSet
        What the column ``in set`` and the filter's membership ask about.
    limit : int, optional
        At most so many rows.
    compared : ScoreTable, optional
        Of another model of the same shape; then there are the columns ``compared``, its score, and
        ``change``, and the rows are ordered by the size of the change.
    """
    frame = score_frame(table)
    frame["in set"] = chosen.mask().ravel()
    if compared is not None:
        frame = frame.assign(compared=compared.values(by).ravel(), change=table.change(by, compared).ravel())
    frame = frame[_passes(frame, by, shown)]
    strength = (frame[by] if compared is None else frame["change"].abs()).to_numpy()
    strongest_first = np.argsort(-strength, kind="stable")[:limit]
    return for_people(frame.iloc[strongest_first]).reset_index(drop=True)


def matching(table: ScoreTable, by: str, chosen: NeuronSet, shown: RowFilter) -> int:
    """Return how many neurons pass the filter."""
    frame = score_frame(table)
    frame["in set"] = chosen.mask().ravel()
    return int(_passes(frame, by, shown).sum())


def _passes(frame: pd.DataFrame, by: str, shown: RowFilter) -> np.ndarray:
    passes = np.ones(len(frame), dtype=bool)
    if shown.layers is not None:
        passes &= frame["layer"].between(*shown.layers).to_numpy()
    if shown.membership != ALL:
        passes &= frame["in set"].to_numpy() == (shown.membership == MEMBERS)
    if shown.above is not None:
        passes &= frame[by].to_numpy() > shown.above
    return passes
