"""A run's stages have the sets and the refusals of the model that they are of, as far as the run has come."""

import pandas as pd
import pytest

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.rates import rate
from safeneuron.robustness import ConditionResult
from safeneuron.runs import store
from safeneuron.training.rounds import RoundResult, keep_round
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets
from safeneuron.training.stages import NOTHING, OWN, PARENTS, RANDOM, stages, stages_stamp


def rows(**rates):
    benign = rate(0.0, 20, "arditi")
    return [
        ConditionResult(condition, 3, rate(value, 40, "arditi"), benign, 1).to_row()
        for condition, value in rates.items()
    ]


def put_table(run_id, name, model, **rates):
    store.put_json(run_id, name, {"model": model, "rows": rows(**rates)})
    # Without a verdict, as runs of earlier versions kept them, so that nothing is counted again.
    store.put_table(run_id, f"{name}_answers", pd.DataFrame({"condition": list(rates)}))


def keep(run_id, number, model, *neurons):
    full = NeuronSet("FULL", model, (3, 40), frozenset(neurons))
    keep_safety_sets(run_id, RoundSets(number, model, {"ES": full, "SAS": full, "FULL": full}, 2))


@pytest.fixture
def run(home):
    return store.create_run("a run", "masked-dpo", {}, {"Training": 1.0}).id


def test_a_run_without_sets_says_why(run):
    with pytest.raises(UserError, match="has not come that far"):
        stages(run)


def test_stages_grow_with_the_run(run):
    before = stages_stamp(run)
    keep(run, 0, "m0", (0, 1))
    (parent,) = stages(run)
    assert (parent.title, parent.model, parent.refusals) == ("before", "m0", {})
    assert stages_stamp(run) != before
    keep(run, 1, "m1", (0, 1), (1, 2))
    put_table(run, "static", "m1", ORI=1.0, ES=0.9, SAS=0.9, FULL=0.8, RANDOM=0.95)
    parent, first = stages(run)
    assert first.title == "after round 1" and len(first.found) == 2 and not parent.refusals
    assert {name: found.value for name, found in first.refusals.items()} == {NOTHING: 1.0, PARENTS: 0.8, RANDOM: 0.95}
    put_table(run, "adaptive", "m1", ORI=1.0, FULL=0.6, RANDOM=0.9)
    put_table(run, "before", "m0", ORI=0.97, FULL=0.05, RANDOM=0.94)
    parent, first = stages(run)
    assert first.refusals[OWN].value == 0.6 and first.refusals[RANDOM].value == 0.95
    assert {name: found.value for name, found in parent.refusals.items()} == {
        NOTHING: 0.97,
        PARENTS: 0.05,
        RANDOM: 0.94,
    }


def test_earlier_rounds_keep_their_own_refusals(run):
    for number in range(3):
        keep(run, number, f"m{number}", (number, 1))
    frozen = NeuronSet("FULL", "m0", (3, 40), frozenset({(0, 1)}))
    tables = tuple(rows(ORI=1.0, FULL=0.5, RANDOM=1.0)), tuple(rows(FULL=0.2))
    keep_round(run, RoundResult(1, "m1", frozen, {}, *tables))
    put_table(run, "static", "m2", ORI=0.9, FULL=0.7, RANDOM=0.8)
    # That of the round before, until this round's is made.
    put_table(run, "adaptive", "m1", FULL=0.2)
    _, one, two = stages(run)
    assert {name: found.value for name, found in one.refusals.items()} == {
        NOTHING: 1.0,
        PARENTS: 0.5,
        OWN: 0.2,
        RANDOM: 1.0,
    }
    assert OWN not in two.refusals and two.refusals[PARENTS].value == 0.7
