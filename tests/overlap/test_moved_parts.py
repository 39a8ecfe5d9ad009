"""What moved in categories, probes and writing from a base to other models: beside direct calculations."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from safeneuron.errors import UserError
from safeneuron.observations.record import both_classes
from safeneuron.overlap.categories import category_activations
from safeneuron.overlap.combinations import overlap_ratios
from safeneuron.overlap.material import RECORD, STREAM, read_material, recorded, streamed
from safeneuron.overlap.moved_categories import moved_categories
from safeneuron.overlap.moved_probes import moved_probes, probes_kept
from safeneuron.overlap.moved_writing import moved_writing
from safeneuron.overlap.probes import layer_probes
from safeneuron.overlap.readings_of_runs import read_moved_categories, read_moved_probes, read_moved_writing
from safeneuron.overlap.writing import kept_writing, write_out
from tests.overlap.test_material import material

THRESHOLDS = {"ES": 0.5, "SAS": 1.0}


@pytest.fixture
def pair(llama, trained, home):
    """The material of a base and of a model trained from it, both read."""
    base, other = material(llama), material(trained)
    read_material(llama, base)
    read_material(trained, other)
    return base, other


def test_each_category_s_set_is_beside_the_base_s(pair):
    base, other = pair
    found = moved_categories(("base", base), {"same": base, "run": other}, THRESHOLDS)
    sets, theirs = (
        category_activations(one.model, *recorded(one), one.categories).sets(THRESHOLDS) for one in (base, other)
    )
    same, run = found.others
    for row, name in enumerate(sets.names):
        first, second = sets.masks[row], theirs.masks[row]
        assert (run.shared[name].base, run.shared[name].own) == (first.sum(), second.sum())
        assert run.shared[name].shared == (first & second).sum()
        assert run.shared[name].jaccard == pytest.approx((first & second).sum() / (first | second).sum())
        assert same.shared[name].jaccard == 1
    expected = [one.mean for one in overlap_ratios(theirs, "mean")]
    assert [one.mean for one in run.ratios["mean"]] == expected and found.base.shared == {}
    assert sum(run.composition.totals.values()) == theirs.masks.any(axis=0).sum()
    text = read_moved_categories(found)
    assert text.startswith("In the base two categories share ") and "In run " in text and ", least that for " in text


def test_a_model_whose_categories_have_no_neuron_is_named_and_the_others_stay(pair):
    base, other = pair
    highest = {name: max(float(np.max(table.values(name))) for table in _tables(other)) for name in THRESHOLDS}
    own = {name: max(float(np.max(table.values(name))) for table in _tables(base)) for name in THRESHOLDS}
    if not any(own[name] > highest[name] for name in THRESHOLDS):
        base, other, highest = other, base, own
    found = moved_categories(("base", base), {"run": other, "same": base}, highest)
    assert [one.title for one in found.others] == ["same"]
    assert "run: No category has a neuron in FULL under these thresholds" in found.notes[-1]
    with pytest.raises(UserError, match="No category has a neuron"):
        moved_categories(("base", base), {"run": other}, {"ES": 99.0, "SAS": 99.0})


def _tables(one):
    from safeneuron.scores.score import ScoreTable

    found = category_activations(one.model, *recorded(one), one.categories)
    return [ScoreTable(one.model, statistics, found.benign) for statistics in found.harmful.values()]


def test_one_category_only_is_refused(pair):
    base, other = (replace(one, categories={}) for one in pair)
    with pytest.raises(UserError, match="choose prompts of two or more categories"):
        moved_categories(("base", base), {"run": other}, THRESHOLDS)


def test_the_base_s_probes_are_tried_on_the_other_s_layers(pair):
    base, other = pair
    assert not probes_kept(base, {"run": other})
    found = moved_probes(base, {"same": base, "run": other})
    same, run = found.others
    np.testing.assert_array_equal(found.base.folds, layer_probes(*streamed(base)).folds)
    np.testing.assert_array_equal(run.own.folds, layer_probes(*streamed(other)).folds)
    # The base's probes on the base itself are its own.
    np.testing.assert_allclose(same.carried_accuracy, found.base.accuracy)
    rows = [both_classes(*streamed(one), 1) for one in (base, other)]
    labels = np.repeat([1, 0], [len(record.prompts) for record in streamed(base)])
    expected = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels):
        own, theirs = (StandardScaler().fit(one[train]).transform(one) for one in rows)
        probe = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000).fit(own[train], labels[train])
        told = probe.predict(theirs[test])
        expected.append(np.mean([(told[labels[test] == kind] == kind).mean() for kind in (0, 1)]))
    assert run.carried_accuracy[1] == pytest.approx(np.mean(expected))
    assert probes_kept(base, {"run": other}) and "In run its own in" in read_moved_probes(found)


def test_what_the_base_s_neurons_write_in_the_other_model(pair, llama, trained):
    base, other = pair
    with pytest.raises(UserError, match="What the neurons of base write has not been added up yet"):
        moved_writing(("base", base), {"run": other}, THRESHOLDS, "logits")
    write_out(llama, base)
    write_out(trained, other)
    first, run = moved_writing(("base", base), {"run": other}, THRESHOLDS, "logits")
    full, theirs = (one.table().select(THRESHOLDS)["FULL"].mask() for one in (base, other))
    values = kept_writing(other).values
    shift = values["logits harmful"].astype(float) - values["logits benign"].astype(float)
    np.testing.assert_allclose(run.bases.shift, (shift * full).sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(run.own.shift, (shift * theirs).sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(first.own.shift, first.bases.shift)
    text = read_moved_writing((first, run))
    assert f"the safety neurons of base write {first.own.shift.sum():.2f} logits, of" in text
    told = f"its own write {run.own.shift.sum():.2f} and the base's {run.bases.shift.sum():.2f}, of"
    assert f"In run {told} {run.bases.whole_shift.sum():.2f}." in text
    along = read_moved_writing(moved_writing(("base", base), {"run": other}, THRESHOLDS, "direction"))
    assert f"in layer {np.argmax(found_along(base, full))}, " in along and "logits" not in along


def found_along(one, mask):
    """What neurons write along the refusal direction, per layer."""
    values = kept_writing(one).values
    return ((values["direction harmful"].astype(float) - values["direction benign"]) * mask).sum(axis=1)


def test_a_model_without_safety_neurons_writes_with_the_base_s_alone(pair, llama, trained):
    base, other = pair
    write_out(llama, base)
    write_out(trained, other)
    highest, own = ({name: float(one.table().values(name).max()) for name in THRESHOLDS} for one in (other, base))
    if not any(own[name] > highest[name] for name in THRESHOLDS):
        base, other, highest = other, base, own
    base_first, run = moved_writing(("base", base), {"run": other}, highest, "logits")
    assert run.own is None and "In run it has none of its own and the base's" in read_moved_writing([base_first, run])


def test_models_of_two_shapes_are_refused(pair, llama, make_tiny):
    base, _ = pair
    write_out(llama, base)
    narrow = make_tiny("llama", intermediate_size=20)
    narrow = replace(narrow, card=replace(narrow.card, fingerprint="narrow", d_mlp=20))
    other = material(narrow)
    read_material(narrow, other, (RECORD, STREAM))
    with pytest.raises(UserError, match="narrow has 3 x 20 neurons and the base 3 x 40"):
        moved_categories(("base", base), {"narrow": other}, THRESHOLDS)
    with pytest.raises(UserError, match="narrow has 3 x 20 neurons"):
        moved_writing(("base", base), {"narrow": other}, THRESHOLDS, "logits")
