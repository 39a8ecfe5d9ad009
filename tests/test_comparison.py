"""One model less another: what is gained and lost, and rates on the same prompts in the same order."""

from types import SimpleNamespace

import pandas as pd
import pytest

from safeneuron.comparison import rate_changes, set_changes
from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.rates import rate_of
from safeneuron.robustness import ConditionResult


def chosen(name, *neurons, shape=(2, 4)):
    return {name: NeuronSet(name, "model", shape, frozenset(neurons))}


def test_gained_is_what_only_the_first_has():
    found = set_changes(chosen("ES", (0, 1), (0, 2), (1, 3)), chosen("ES", (0, 2), (1, 0)))["ES"]
    assert (found["count"], found["other_count"], found["shared"]) == (3, 2, 1)
    assert (found["gained_per_layer"], found["lost_per_layer"]) == ([1, 1], [0, 1])
    with pytest.raises(UserError, match="different shapes"):
        set_changes(chosen("ES"), chosen("ES", shape=(2, 5)))


def table(refused):
    """The answers of one condition: harmful verdicts draw by draw, and two benign ones a draw."""
    rows = [
        {"condition": "RANDOM", "draw": draw, "kind": kind, "refused": verdict}
        for draw, verdicts in enumerate(refused)
        for kind, verdict in [*(("harmful", verdict) for verdict in verdicts), ("benign", False), ("benign", True)]
    ]
    rates = {
        kind: rate_of((row["refused"] for row in rows if row["kind"] == kind), "x") for kind in ("harmful", "benign")
    }
    result = ConditionResult("RANDOM", 2, rates["harmful"], rates["benign"], draws=len(refused))
    return SimpleNamespace(results=(result,), answers=pd.DataFrame(rows))


def test_rates_are_compared_prompt_by_prompt_over_the_mean_of_the_draws():
    first = table([[True, True, False, True], [True, False, False, True]])
    second = table([[False, True, False, False], [False, True, False, False]])
    (row,) = rate_changes(first, second)
    assert row["difference_points"] == pytest.approx(100 * (5 / 8 - 2 / 8))
    assert row["difference_interval"][0] < row["difference_points"] < row["difference_interval"][1]
    assert row["benign_difference_points"] == 0.0
    assert row["benign_difference_interval"][0] <= 0.0 <= row["benign_difference_interval"][1]
