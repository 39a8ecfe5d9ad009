"""The safety sets of a run's rounds come back as they were written, without a model."""

import subprocess
import sys

from safeneuron.neurons import NeuronSet
from safeneuron.runs import store
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets, safety_sets


def sets(model, *neurons):
    return {
        name: NeuronSet(name, model, (3, 40), frozenset(found), {"method": name})
        for name, found in {"ES": neurons[:1], "SAS": neurons[1:], "FULL": neurons}.items()
    }


def test_rounds_come_back_in_order_and_a_round_made_again_takes_its_place(home):
    run_id = store.create_run("a", "masked-dpo", {}, {"Training": 1.0}).id
    assert safety_sets(run_id) == ()
    parent = RoundSets(0, "m0", sets("m0", (0, 1), (2, 5)), 0)
    first, again = (RoundSets(1, "m1", sets("m1", (0, 2), (1, index)), 2) for index in (7, 9))
    for found in (parent, first, again):
        keep_safety_sets(run_id, found)
    assert safety_sets(run_id) == (parent, again)
    assert safety_sets(run_id)[1].sets["ES"].origin == {"method": "ES"}
    # In the form that others read.
    assert store.get_json(run_id, "safety_sets")[0] == {
        "round": 0,
        "model": "m0",
        "sets": {name: found.to_json() for name, found in parent.sets.items()},
        "frozen": 0,
    }


def test_reading_needs_no_torch():
    code = "import sys, safeneuron.training.safety_sets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
