"""The sentences that read results, on results whose reading is known."""

import numpy as np

from safeneuron.neurons import NeuronSet
from safeneuron.overlap import readings, readings_of_change
from safeneuron.overlap.combinations import OverlapRatio, overlap_ratios
from safeneuron.overlap.composition import composition
from safeneuron.overlap.depth import depth_profiles
from safeneuron.overlap.intersections import intersections
from safeneuron.overlap.matrix import jaccard_matrix
from safeneuron.overlap.probes import ProbeAccuracies
from safeneuron.overlap.stability import Stability
from safeneuron.overlap.two_sets import layer_overlap
from safeneuron.overlap.writing import LayerWriting


def test_composition_counts_only_layers_with_neurons(make_sets):
    found = composition(make_sets({(0, 1), (0, 2), (2, 5)}, {(0, 1), (0, 2)}, {(0, 1), (2, 6)}))
    text = readings.read_composition(found)
    assert text.startswith("Of the 4 neurons in any of 3 categories' sets, 1 (25%) are in all of them, 1 (25%) in two")
    assert text.endswith("the majority in 1 of the 2 layers that have any.")


def test_an_empty_model_is_said_to_be_so():
    full = NeuronSet("FULL", "m", (4, 10), frozenset({(3, 1)}))
    text = readings.read_depth(depth_profiles({"base": full, "run": NeuronSet("FULL", "m", (4, 10), frozenset())}))
    assert text == "base: mean depth 0.88, most in layer 3; run has none under these thresholds."


def test_categories_matter_only_where_they_overlap_less_than_random_groups():
    def ratios(*means):
        return [OverlapRatio(k, 3, np.full(3, mean), 0.01) for k, mean in enumerate(means, start=2)]

    text = readings.read_ratios(ratios(0.4, 0.2, 0.1), "union", ratios(0.8, 0.7, 0.6))
    assert text == (
        "Of the neurons in any of them, two categories share 40% on average (by chance 1.0%), all 4 share 10%; random "
        "groups of the same prompts 80% and 60%. So categories matter beyond the draw of prompts."
    )
    assert "differ little more" in readings.read_ratios(ratios(0.8, 0.8, 0.8), "mean", ratios(0.8, 0.8, 0.8))


def test_few_categories_are_not_judged_against_one_draw_of_random_groups(make_sets):
    """One pair has no spread, so that half of all random labels would look like a finding."""
    one, other = (
        overlap_ratios(make_sets({(0, 1), (0, 2)}, second), "union") for second in ({(0, 1)}, {(0, 1), (0, 2)})
    )
    assert one[0].mean < other[0].mean
    assert readings.read_ratios(one, "union", other).endswith("does not tell whether the categories matter.")


def test_of_two_categories_none_is_shared_but_not_core(make_sets):
    text = readings.read_composition(composition(make_sets({(0, 1), (0, 2)}, {(0, 1)})))
    assert text.startswith(
        "Of the 2 neurons in any of 2 categories' sets, 1 (50%) are in all of them and 1 (50%) in one"
    )


def test_two_categories_are_read_without_all_of_them(make_sets):
    text = readings.read_ratios(overlap_ratios(make_sets({(0, 1)}, {(0, 1)}), "mean"), "mean")
    assert text == "Of their mean size, two categories share 100% on average (by chance 5.0%)."


def test_the_most_and_the_least_alike_are_named(make_sets):
    sets = make_sets({(0, 1), (0, 2)}, {(0, 1), (0, 2)}, {(0, 1), (1, 3)}, set())
    text = readings.read_matrix(jaccard_matrix(sets))
    assert "Most alike: a and b (1.00)" in text or "Most alike: b and a (1.00)" in text
    assert "(0.33)" in text and "of the 3 pairs" in text
    assert readings.read_matrix(jaccard_matrix(make_sets({(0, 1)}, set()))) == (
        "No two categories have neurons to compare."
    )


def test_shared_neurons_of_two_sets():
    one = NeuronSet("ES", "m", (2, 1000), frozenset({(0, 1), (0, 2), (1, 5)}))
    two = NeuronSet("SAS", "m", (2, 1000), frozenset({(0, 1), (0, 2)}))
    text = readings.read_overlap(layer_overlap(one, two))
    assert text.startswith(
        "ES and SAS share 2 neurons of 3 and 2 (Jaccard index 0.67; by chance 0.004 neurons and 0.0008"
    )
    assert text.endswith("in 1 of the 1 layers where both have neurons (q < 0.05).")


def test_a_model_of_one_layer_has_no_neighbours():
    assert "one layer only" in readings.read_layers(np.ones((1, 1)), "CKA")
    assert readings.read_probes(ProbeAccuracies(np.full((5, 1, 1), 0.9))) == (
        "Behind layer 0 a probe is right in 90%, best behind layer 0 with 90%."
    )


def test_only_logits_are_added_up_over_layers():
    values = {name: np.array([0.0, 3.0]) for name in ("harmful", "harmful_whole")}
    zeros = {name: np.zeros(2) for name in ("benign", "benign_whole")}
    direction, logits = (
        readings.read_writing(LayerWriting("FULL", reading, np.array([0, 4]), **values, **zeros))
        for reading in ("direction", "logits")
    )
    assert "in layer 1: its 4 neurons there write 3 units along the refusal direction more" in direction
    assert "100% of what its whole MLP writes" in direction and "Over all layers" not in direction
    assert logits.endswith("Over all layers 3 logits, all MLPs together 3.")


def test_more_prompts_help_while_the_curve_rises():
    def stable(last):
        each_other = np.array([[0.2], [last], [np.nan]])
        return Stability(np.full(5, 0.8), np.ones((2, 4)), np.array([8, 16, 32]), each_other, each_other)

    full = NeuronSet("FULL", "m", (2, 4), frozenset({(0, 0)}))
    assert "With 16 prompts of each class" in readings_of_change.read_stability(stable(0.6), full)
    assert readings_of_change.read_stability(stable(0.6), full).endswith("more prompts would help.")
    assert readings_of_change.read_stability(stable(0.21), full).endswith("hardly rising any more.")
    steady = np.array([[0.15], [0.16], [0.19], [0.21], [0.22]])
    few = Stability(np.full(5, 0.8), np.ones((2, 4)), np.arange(8, 13), steady, steady)
    assert readings_of_change.read_stability(few, full).endswith("more prompts would help."), "not by one prompt more"


def test_a_sample_of_combinations_is_said_to_be_one():
    found = [OverlapRatio(2, 91, np.full(91, 0.5), 0.1), OverlapRatio(7, 3432, np.full(2000, 0.4), 0.0)]
    assert "For K from 7 to 7 these are 2,000 combinations at random" in readings.read_ratios(found, "union")
    assert "at random, not all" not in readings.read_ratios(found[:1], "union")


def test_the_worst_transfer_is_named_and_the_own_category_is_not_it():
    text = readings.read_transfer(("fraud", "hate_speech"), np.array([[0.5, 0.9], [0.7, 1.0]]))
    assert text.startswith("A probe of one category is right in 75% on its own and in 80% on others;")
    assert text.endswith("least from hate speech to fraud (70%).")


def test_the_largest_intersection_and_the_core_are_named(make_sets):
    largest = intersections(make_sets({(0, 1), (0, 2), (2, 5)}, {(0, 1)}, {(0, 1), (2, 6)}))
    text = readings.read_intersections(largest)
    assert text.startswith("Most neurons (2) are in only a; 1 are in all of them; random sets would have")
    apart = readings.read_intersections(intersections(make_sets({(0, 1)}, {(0, 2)})))
    assert apart.endswith("none of the largest combinations is of all categories.")
