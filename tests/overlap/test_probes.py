"""Probes on planted directions: what they must find, what they must not, and where they carry over."""

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.overlap.probes import category_probes, layer_probes, probed_categories


def planted(directions, counts=(30, 25), width=12, seed=0):
    """Streams ``[n, n_layers, width]`` of both classes in which harmful prompts lie along each layer's direction."""
    generator = np.random.default_rng(seed)
    harmful, benign = (generator.standard_normal((count, len(directions), width)) for count in counts)
    for layer, direction in enumerate(directions):
        if direction is not None:
            harmful[:, layer, direction] += 8
    return harmful, benign


def test_a_probe_carries_over_to_layers_with_the_same_direction(make_record):
    found = layer_probes(*(make_record(part) for part in planted([0, 0, 5, None])))
    assert found.folds.shape == (5, 4, 4)
    assert found.accuracy[:3].min() > 0.95
    assert found.transfer[0, 1] > 0.85 and found.transfer[1, 0] > 0.85
    assert found.transfer[0, 2] < 0.7
    assert abs(found.accuracy[3] - 0.5) < 0.2
    assert found.deviation.shape == (4,)


def test_more_dimensions_than_prompts_are_not_known_by_heart(make_record):
    """Training accuracy would be 1; on prompts held out it is chance."""
    found = layer_probes(*(make_record(part) for part in planted([None], width=200)))
    assert abs(found.accuracy[0] - 0.5) < 0.15


def test_the_order_of_prompts_makes_no_difference(make_record):
    harmful, benign = planted([0, None])
    names = [f"prompt {row:02}" for row in range(30)]
    turn = np.random.default_rng(3).permutation(30)
    one = layer_probes(make_record(harmful, names), make_record(benign))
    two = layer_probes(make_record(harmful[turn], [names[row] for row in turn]), make_record(benign))
    assert np.array_equal(one.folds, two.folds)


def test_categories_that_differ_from_benign_in_the_same_way_transfer(make_record):
    """Two categories lie on one side of the benign prompts, a third on the other."""
    harmful, benign = planted([None], counts=(45, 40))
    harmful[:30, 0, 0] += 8
    harmful[30:, 0, 0] -= 8
    record = make_record(harmful)
    categories = dict(zip(record.prompts, np.repeat(["a", "b", "c"], 15).tolist(), strict=True))
    found = category_probes(record, make_record(benign), categories)
    assert found.shape == (1, 3, 3)
    assert found[0, :2, :2].min() > 0.85 and found[0, 2, 2] > 0.85
    assert found[0, :2, 2].max() < 0.6 and found[0, 2, :2].max() < 0.6


def test_a_category_of_three_prompts_is_left_out_and_one_alone_refused(make_record):
    harmful, benign = planted([0])
    record, other = make_record(harmful), make_record(benign)
    labels = dict(zip(record.prompts, ["a"] * 14 + ["b"] * 13 + ["c"] * 3, strict=True))
    assert probed_categories(record.prompts, labels) == ("a", "b")
    assert category_probes(record, other, labels).shape == (1, 2, 2)
    with pytest.raises(UserError, match="have only one with at least 8"):
        category_probes(record, other, dict.fromkeys(record.prompts[:14], "a"))


def test_too_few_prompts_are_refused(make_record):
    harmful, benign = planted([0], counts=(30, 4))
    with pytest.raises(UserError, match="30 and 4 prompts"):
        layer_probes(make_record(harmful), make_record(benign))
