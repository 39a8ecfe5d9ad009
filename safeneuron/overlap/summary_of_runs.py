"""Every number on what moved from a base to the models trained from it, with the sentence that reads it."""

from collections.abc import Sequence
from typing import Any

from safeneuron.overlap import readings_of_runs as readings
from safeneuron.overlap.moved import Moved
from safeneuron.overlap.moved_categories import CategoriesOf, MovedCategories
from safeneuron.overlap.moved_probes import MovedProbes
from safeneuron.overlap.moved_writing import WritingOf
from safeneuron.overlap.summary import READING


def of_moved(found: Sequence[Moved]) -> dict[str, Any]:
    """Return what moved from the base to each model, by its title."""
    return {
        READING: readings.read_moved(found),
        "models": {
            one.title: {
                "base_count": int(one.base.counts.sum()),
                "count": int(one.own.counts.sum()),
                "shared": None if one.overlap is None else int(one.overlap.shared.sum()),
                "jaccard": None if one.overlap is None else one.overlap.whole_jaccard,
                "expected_shared": None if one.overlap is None else one.overlap.whole.shared,
                "p": None if one.overlap is None else one.overlap.whole.p,
                "mean_depth": one.own.centre,
                "kept_share_per_layer": one.kept.tolist(),
                "cka_harmful": one.harmful.tolist(),
                "cka_benign": one.benign.tolist(),
                "direction_cosine": one.turned.tolist(),
            }
            for one in found
        },
    }


def of_moved_categories(found: MovedCategories) -> dict[str, Any]:
    """Return how the categories' sets divide and overlap in each model, and what they share with the base's."""
    return {
        READING: readings.read_moved_categories(found),
        "notes": list(found.notes),
        "base": _categories(found.base),
        "models": {one.title: _categories(one) for one in found.others},
    }


def _categories(one: CategoriesOf) -> dict[str, Any]:
    return {
        "composition": one.composition.totals,
        "overlap_ratio": {
            formula: [{"k": each.k, "mean": each.mean, "chance": each.chance} for each in ratios]
            for formula, ratios in one.ratios.items()
        },
        "shared_with_base": {
            name: {
                "base": each.base,
                "own": each.own,
                "shared": each.shared,
                "jaccard": each.jaccard,
                "expected_shared": each.chance.shared,
                "p": each.chance.p,
            }
            for name, each in one.shared.items()
        },
    }


def of_moved_probes(found: MovedProbes) -> dict[str, Any]:
    """Return each model's probe accuracies per layer, and those of the base's probes on it."""
    return {
        READING: readings.read_moved_probes(found),
        "base": found.base.accuracy.tolist(),
        "models": {
            one.title: {
                "probe_accuracy": one.own.accuracy.tolist(),
                "probe_deviation": one.own.deviation.tolist(),
                "base_probe_accuracy": one.carried_accuracy.tolist(),
            }
            for one in found.others
        },
    }


def of_moved_writing(found: Sequence[WritingOf]) -> dict[str, Any]:
    """Return what each model's safety neurons, the base's in it, and all neurons write per layer."""
    return {
        READING: readings.read_moved_writing(found),
        "models": {
            one.title: {
                "own": None if one.own is None else one.own.shift.tolist(),
                "bases": one.bases.shift.tolist(),
                "whole": one.bases.whole_shift.tolist(),
            }
            for one in found
        },
    }
