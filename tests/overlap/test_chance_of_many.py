"""Chance for combinations of many sets, against a direct enumeration and against SciPy's for two."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import hypergeom

from safeneuron.overlap.chance import chance_of
from safeneuron.overlap.chance_of_many import chance_of_pattern
from safeneuron.overlap.intersections import intersections


@pytest.mark.parametrize("inside", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (1, 0, 0)])
def test_one_layer_is_as_every_choice_of_sets_counts_it(inside):
    width, sizes = 5, (2, 3, 1)
    counts = []
    for sets in product(*(combinations(range(width), size) for size in sizes)):
        member = np.array([[neuron in chosen for chosen in sets] for neuron in range(width)])
        counts.append((member == np.array(inside, dtype=bool)).all(axis=1).sum())
    counts = np.array(counts)
    for observed in range(counts.max() + 2):
        expected, p = chance_of_pattern(np.array(sizes)[:, None], width, np.array(inside, dtype=bool), observed)
        assert expected == pytest.approx(counts.mean())
        assert p == pytest.approx((counts >= observed).mean(), abs=1e-12)


def test_two_sets_over_layers_agree_with_what_two_share(make_sets):
    sets = make_sets({(0, 1), (0, 2), (1, 3), (2, 5)}, {(0, 1), (1, 3), (1, 4), (2, 5)})
    whole = chance_of(*sets.masks)
    expected, p = chance_of_pattern(sets.masks.sum(axis=2), 20, np.array([True, True]), 3)
    assert expected == pytest.approx(whole.shared) and p == pytest.approx(whole.p)


def test_a_far_tail_keeps_its_digits():
    _, p = chance_of_pattern(np.array([[40], [40]]), 1000, np.array([True, True]), 40)
    assert p == pytest.approx(hypergeom.pmf(40, 1000, 40, 40), rel=1e-6) and 0 < p < 1e-60


def test_every_intersection_has_its_chance(random_sets):
    found = intersections(random_sets)
    sizes = random_sets.masks.sum(axis=2)
    order = [random_sets.names.index(name) for name in found.names]
    for row, count, expected, p in zip(found.members, found.counts, found.expected, found.p, strict=True):
        assert (expected, p) == chance_of_pattern(sizes[order], 20, row, int(count))
    core = found.members.all(axis=1)
    assert found.counts[core][0] > found.expected[core][0] and found.p[core][0] < 1e-6
