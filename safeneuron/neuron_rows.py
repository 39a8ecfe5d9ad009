"""The rows of the table of neurons: those that pass a filter, the strongest first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from safeneuron.neurons import NeuronSet
from safeneuron.score_frames import for_people, score_frame
from safeneuron.scores.score import ScoreTable
from safeneuron.shown import Shown

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
    above : bool
        Only neurons above the threshold of what is shown, where that has one.
    """

    layers: tuple[int, int] | None = None
    membership: str = ALL
    above: bool = False


def neuron_rows(
    table: ScoreTable, shown: Shown, chosen: NeuronSet, passing: RowFilter, limit: int | None = None
) -> pd.DataFrame:
    """Return a row per neuron that passes the filter, those with the highest value of what is shown first.

    Of a difference, the rows are ordered by its size, and there are the columns ``change``, ``first`` and
    ``second``: the difference and the two results.

    Parameters
    ----------
    table : ScoreTable
        For the paper's scores and the means.
    chosen : NeuronSet
        What the column ``in set`` and the filter's membership ask about.
    limit : int, optional
        At most so many rows.
    """
    frame = _frame(table, shown, chosen)
    frame = frame[_passes(frame, shown, passing)]
    strength = (frame["change"].abs() if shown.is_difference else frame[shown.name]).to_numpy()
    strongest_first = np.argsort(-strength, kind="stable")[:limit]
    return for_people(frame.iloc[strongest_first]).reset_index(drop=True)


def matching(table: ScoreTable, shown: Shown, chosen: NeuronSet, passing: RowFilter) -> int:
    """Return how many neurons pass the filter."""
    return int(_passes(_frame(table, shown, chosen), shown, passing).sum())


def _frame(table: ScoreTable, shown: Shown, chosen: NeuronSet) -> pd.DataFrame:
    frame = score_frame(table).assign(**{"in set": chosen.mask().ravel()})
    if shown.is_difference:
        parts = {"change": shown.values, "first": shown.first, "second": shown.second}
        return frame.assign(**{name: values.ravel() for name, values in parts.items()})
    return frame.assign(**{shown.name: shown.values.ravel()})


def _passes(frame: pd.DataFrame, shown: Shown, passing: RowFilter) -> np.ndarray:
    passes = np.ones(len(frame), dtype=bool)
    if passing.layers is not None:
        passes &= frame["layer"].between(*passing.layers).to_numpy()
    if passing.membership != ALL:
        passes &= frame["in set"].to_numpy() == (passing.membership == MEMBERS)
    if passing.above and shown.threshold is not None:
        passes &= frame[shown.name].to_numpy() > shown.threshold
    return passes
