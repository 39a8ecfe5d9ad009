"""A neuron's rank and the neurons around it, against sorting all of them."""

import numpy as np
import pytest

from safeneuron.neuron_card.standing import Ranking


@pytest.mark.parametrize("values", [np.random.default_rng(0).normal(size=(3, 5)), np.zeros((3, 4)), np.eye(4)])
def test_ranks_are_those_of_a_stable_sort(values):
    order = [
        tuple(map(int, np.unravel_index(place, values.shape)))
        for place in np.argsort(-values, axis=None, kind="stable")
    ]
    for place, neuron in enumerate(order):
        found = Ranking("SAS", values).standing(neuron)
        assert (found.rank, found.of, found.value) == (place + 1, values.size, values[neuron])
        assert found.before == (order[place - 1] if place else None)
        assert found.after == (order[place + 1] if place + 1 < len(order) else None)
    assert Ranking("SAS", values).first() == order[0]
