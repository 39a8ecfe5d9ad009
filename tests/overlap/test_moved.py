"""What moved from a base to other models: known cases, and shapes and sets that cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.overlap.material import STREAM, read_material
from safeneuron.overlap.moved import moved
from safeneuron.overlap.readings_of_runs import read_moved
from safeneuron.overlap.similarity import cka
from safeneuron.scores.score import ACTIVATIONS
from tests.overlap.test_material import material

THRESHOLDS = {"ES": 0.5, "SAS": 1.0}
NEEDED = (ACTIVATIONS, STREAM)


def test_a_model_beside_itself_has_not_moved_and_another_has(llama, trained, home):
    base, other = material(llama), material(trained)
    with pytest.raises(UserError, match="read them first"):
        moved(base, {"run": other}, THRESHOLDS)
    read_material(llama, base, NEEDED)
    read_material(trained, other, NEEDED)
    same, run = moved(base, {"same": base, "run": other}, THRESHOLDS)
    assert same.overlap.whole_jaccard == 1 and np.nanmin(same.kept) == 1
    np.testing.assert_allclose([same.harmful, same.benign, same.turned], 1)
    full, theirs = (found.table().select(THRESHOLDS)["FULL"] for found in (base, other))
    assert run.overlap.total_shared == len(full & theirs) and run.own.total == len(theirs)
    streams = [found.records(STREAM)[0] for found in (base, other)]
    rows = [record.layer(2)[np.argsort(record.prompts)] for record in streams]
    assert run.harmful[2] == pytest.approx(cka(*rows)) and run.harmful[2] < 0.999
    directions = [
        harmful.layer(2).mean(axis=0) - benign.layer(2).mean(axis=0)
        for harmful, benign in (found.records(STREAM) for found in (base, other))
    ]
    cosine = directions[0] @ directions[1] / np.prod([np.linalg.norm(one) for one in directions])
    assert run.turned[2] == pytest.approx(cosine, rel=1e-4)
    assert f"run keeps {len(full & theirs)} of {len(full)} safety neurons" in read_moved([same, run])


def test_an_empty_set_is_said_of_the_base_and_of_a_run(llama, trained, home):
    base, other = material(llama), material(trained)
    read_material(llama, base, NEEDED)
    read_material(trained, other, NEEDED)
    with pytest.raises(UserError, match="FULL of the base has no neuron"):
        moved(base, {"run": other}, {"ES": 99.0, "SAS": 99.0})
    highest = {name: max(float(other.table().values(name).max()), 0.0) for name in ("ES", "SAS")}
    own = {name: float(base.table().values(name).max()) for name in ("ES", "SAS")}
    name = max(own, key=lambda one: own[one] - highest[one])
    if own[name] <= highest[name]:
        base, other, highest = other, base, own
    (found,) = moved(base, {"run": other}, highest)
    assert found.overlap is None and found.own.centre is None
    assert np.nanmax(found.kept) == 0, "layers in which the base has some kept none; others are gaps"
    assert "run has no safety neuron under these thresholds" in read_moved([found])


def test_models_of_two_shapes_are_refused(llama, make_tiny, home):
    narrow = make_tiny("llama", intermediate_size=20)
    narrow = replace(narrow, card=replace(narrow.card, fingerprint="narrow", d_mlp=20))
    base, other = material(llama), material(narrow)
    read_material(llama, base, NEEDED)
    read_material(narrow, other, NEEDED)
    with pytest.raises(UserError, match="narrow has 3 x 20 neurons and the base 3 x 40"):
        moved(base, {"narrow": other}, THRESHOLDS)
