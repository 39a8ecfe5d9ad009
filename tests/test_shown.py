"""What a map shows: a result with its threshold, or a difference with both its parts."""

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.scores.result import ScoreResult
from safeneuron.shown import shown_difference, shown_result


def result(name, values):
    return ScoreResult(name, "model", np.asarray(values, dtype=float), {})


def test_a_result_selects_what_is_above_its_threshold():
    shown = shown_result(result("SNIP", [[98.0, 99.0, 99.5], [0.0, 100.0, 1.0]]), "a model", 99.0)
    assert (shown.name, shown.unit, shown.signed, shown.is_difference) == (
        "SNIP",
        "% of the layer that matter less",
        False,
        False,
    )
    found = shown.selected("print")
    assert found.neurons == {(0, 2), (1, 1)} and (found.name, found.model) == ("SNIP", "print")
    assert dict(found.origin) == {"method": "SNIP", "threshold": 99.0, "of": "a model"}
    assert shown.above({(0, 1), (0, 2), (1, 0)}) == {(0, 2)}


def test_a_difference_has_both_parts_and_no_threshold():
    first, second = result("ES", [[1.0, 5.0]]), result("ES", [[2.0, 1.0]])
    shown = shown_difference(first, second, "this", "that")
    np.testing.assert_array_equal(shown.values, [[-1.0, 4.0]])
    np.testing.assert_array_equal([shown.first, shown.second], [first.values, second.values])
    assert (shown.name, shown.subject, shown.difference_to) == ("difference of ES", "this", "that")
    assert shown.is_difference and shown.signed and shown.threshold is None
    assert shown.above({(0, 1)}) == set()


def test_a_difference_of_two_scores_is_one_even_where_its_name_says_all():
    shown = shown_difference(result("ES", [[1.0, 5.0]]), result("SAS", [[2.0, 1.0]]), "this", "")
    assert shown.is_difference and shown.name == "ES − SAS" and shown.unit == "points of rank"


def test_models_of_two_shapes_have_no_difference():
    with pytest.raises(UserError, match="two models of one shape"):
        shown_difference(result("ES", [[1.0, 5.0]]), result("ES", [[1.0]]), "this", "that")
