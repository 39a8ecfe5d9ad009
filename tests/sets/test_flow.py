"""Every neuron of any round is in exactly one state after each, and none gets lost on the way."""

import subprocess
import sys

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.sets.flow import INSIDE, set_flow


def found(*neurons, shape=(2, 10)):
    return NeuronSet("FULL", "m", shape, frozenset(neurons))


A, B, C, D = (0, 1), (0, 2), (1, 3), (1, 4)


def test_neurons_stay_join_leave_and_come_back():
    flow = set_flow([found(A, B), found(B, C), found(A, C), found(A, C, D)])
    assert [flow.counts(place) for place in range(4)] == [
        {"found": 2, "not yet": 2},
        {"kept": 1, "joined": 1, "left": 1, "not yet": 1},
        {"kept": 1, "returned": 1, "left": 1, "not yet": 1},
        {"kept": 2, "joined": 1, "out": 1},
    ]
    assert flow.states[2] == {A: "returned", B: "left", C: "kept", D: "not yet"}
    assert flow.moves(2) == {
        ("kept", "left"): 1,
        ("joined", "kept"): 1,
        ("left", "returned"): 1,
        ("not yet", "not yet"): 1,
    }


@pytest.mark.parametrize("seed", range(3))
def test_no_neuron_is_lost_or_counted_twice(seed):
    generator = np.random.default_rng(seed)
    sets = [from_mask("FULL", "m", generator.random((4, 30)) < 0.3) for _ in range(5)]
    flow = set_flow(sets)
    ever = len(frozenset().union(*(one.neurons for one in sets)))
    for place, one in enumerate(sets):
        counts = flow.counts(place)
        assert sum(counts.values()) == ever
        assert sum(counts.get(state, 0) for state in INSIDE) == len(one)
    for number in range(1, len(sets)):
        moves = flow.moves(number)
        for state, count in flow.counts(number - 1).items():
            assert sum(n for (old, _), n in moves.items() if old == state) == count
        for state, count in flow.counts(number).items():
            assert sum(n for (_, new), n in moves.items() if new == state) == count


def test_nobody_left_and_empty_sets():
    assert set_flow([found(A), found(A, B)]).counts(1) == {"kept": 1, "joined": 1}
    assert set_flow([found(A), found()]).counts(1) == {"left": 1}
    assert set_flow([found(), found(A)]).moves(1) == {("not yet", "joined"): 1}
    nothing = set_flow([found(), found()])
    assert nothing.counts(1) == {} and nothing.chance[0].shared == 0


def test_what_is_kept_by_chance_is_that_of_random_sets_of_each_layers_size():
    generator = np.random.default_rng(0)
    one, two = np.zeros((2, 2, 100), dtype=bool)
    one[0, :30] = one[1, :10] = two[0, 20:60] = True
    two[1, 5:25] = True
    (chance,) = set_flow([from_mask("FULL", "m", one), from_mask("FULL", "m", two)]).chance
    drawn = [
        sum(int((generator.permutation(one[layer]) & generator.permutation(two[layer])).sum()) for layer in range(2))
        for _ in range(2000)
    ]
    assert chance.shared == pytest.approx(30 * 40 / 100 + 10 * 20 / 100)
    assert np.mean(drawn) == pytest.approx(chance.shared, abs=0.25)


def test_one_set_alone_or_sets_of_other_shapes_are_refused():
    with pytest.raises(UserError, match="once a round has ended"):
        set_flow([found(A)])
    with pytest.raises(UserError, match="different shapes"):
        set_flow([found(A), found(A, shape=(2, 11))])


def test_it_needs_no_torch():
    code = "import sys, safeneuron.sets.flow, safeneuron.training.stages; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
