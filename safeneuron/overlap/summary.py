"""Every number of the Overlap page as plain values, with the sentence that reads it.

Those on what training moved are in ``summary_of_runs.py``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from safeneuron.neurons import NeuronSet
from safeneuron.overlap import readings, readings_of_change
from safeneuron.overlap.categories import CategorySets
from safeneuron.overlap.chance import chance_of
from safeneuron.overlap.combinations import FORMULAS, overlap_ratios
from safeneuron.overlap.composition import KINDS, composition
from safeneuron.overlap.depth import depth_profiles
from safeneuron.overlap.intersections import intersections
from safeneuron.overlap.matrix import jaccard_matrix
from safeneuron.overlap.representation import Representation
from safeneuron.overlap.stability import Stability
from safeneuron.overlap.two_sets import layer_overlap
from safeneuron.overlap.variations import FoundAgain
from safeneuron.overlap.writing import READINGS, Writing

READING = "reading"
"""Under this name each result has its sentence."""


def of_depth(sets: Mapping[str, NeuronSet]) -> dict[str, Any]:
    """Return the share of each layer, by model (Fig. 4)."""
    profiles = depth_profiles(sets)
    return {
        READING: readings.read_depth(profiles),
        "models": {
            profile.title: {
                "mean_depth": profile.centre,
                "share_per_layer": profile.shares.tolist(),
                "count_per_layer": profile.counts.tolist(),
            }
            for profile in profiles
        },
    }


def of_two_sets(first: NeuronSet, second: NeuronSet, names: tuple[str, str]) -> dict[str, Any]:
    """Return what two sets share, in all and per layer (Fig. 7)."""
    found = layer_overlap(first, second, names)
    arrays = ("first", "second", "shared", "jaccard", "expected", "p", "q")
    return {
        READING: readings.read_overlap(found),
        "sets": list(names),
        "shared": int(found.shared.sum()),
        "jaccard": found.whole_jaccard,
        "expected_shared": found.whole.shared,
        "expected_jaccard": found.whole.jaccard,
        "p": found.whole.p,
        "per_layer": {name: getattr(found, name).tolist() for name in arrays},
    }


def of_categories(sets: CategorySets, dealt: CategorySets) -> dict[str, Any]:
    """Return what the categories' sets have in common (Fig. 3 and 5), and which are alike.

    Parameters
    ----------
    dealt : CategorySets
        Of the same prompts dealt out to the categories at random.
    """
    divided, alike, largest = composition(sets), jaccard_matrix(sets), intersections(sets)
    ratios = {}
    for formula in FORMULAS:
        found, random = overlap_ratios(sets, formula), overlap_ratios(dealt, formula)
        ratios[formula] = {
            READING: readings.read_ratios(found, formula, random),
            "by_k": [
                {
                    "k": one.k,
                    "combinations": one.possible,
                    "looked_at": len(one.ratios),
                    "mean": one.mean,
                    "deviation": one.deviation,
                    "chance": one.chance,
                    "dealt_out_at_random": other.mean,
                }
                for one, other in zip(found, random, strict=True)
            ],
        }
    return {
        "set": sets.which,
        "sizes": dict(zip(sets.names, sets.sizes.tolist(), strict=True)),
        "composition": {
            READING: readings.read_composition(divided),
            **divided.totals,
            "per_layer": {kind: divided.counts[:, column].tolist() for column, kind in enumerate(KINDS)},
        },
        "overlap_ratio": ratios,
        "similarity": {
            READING: readings.read_matrix(alike),
            "categories": list(alike.names),
            "jaccard": alike.jaccard.tolist(),
            "expected_jaccard": alike.expected.tolist(),
            "p": alike.p.tolist(),
        },
        "intersections": [
            {
                "categories": [name for name, member in zip(largest.names, row, strict=True) if member],
                "neurons": int(count),
                "expected": float(expected),
                "p": float(p),
            }
            for row, count, expected, p in zip(
                largest.members, largest.counts, largest.expected, largest.p, strict=True
            )
        ],
    }


def of_layers(found: Representation) -> dict[str, Any]:
    """Return how the layers' representations overlap."""
    return {
        READING: f"CKA on harmful prompts. {readings.read_layers(found.harmful, 'CKA')} "
        f"Direction. {readings.read_layers(found.cosines, 'cosine')} {readings.read_probes(found.probes)}",
        "cka_harmful": found.harmful.tolist(),
        "cka_benign": found.benign.tolist(),
        "cka_difference": found.difference.tolist(),
        "direction_cosine": found.cosines.tolist(),
        "mean_principal_angle": found.angle.tolist(),
        "mean_principal_angle_of_chance": found.chance_angle,
        "probe_accuracy": found.probes.accuracy.tolist(),
        "probe_deviation": found.probes.deviation.tolist(),
        "probe_transfer": found.probes.transfer.tolist(),
        "categories": list(found.categories),
        "category_transfer": found.category_transfer.tolist(),
    }


def of_writing(found: Writing, chosen: NeuronSet) -> dict[str, Any]:
    """Return what a set's neurons write towards refusing, per layer."""
    result: dict[str, Any] = {"set": chosen.name}
    for reading in READINGS:
        sums = found.by_layer(chosen, reading)
        arrays = ("counts", "harmful", "benign", "harmful_whole", "benign_whole", "share")
        result[reading] = {READING: readings.read_writing(sums)} | {
            name: getattr(sums, name).tolist() for name in arrays
        }
    return result


def of_stability(found: Stability, full: NeuronSet) -> dict[str, Any]:
    """Return how stable FULL is under other draws of prompts."""
    return {
        READING: readings_of_change.read_stability(found, full),
        "expected_jaccard": chance_of(full.mask(), full.mask()).jaccard,
        "bootstrap_jaccard": found.bootstrap.tolist(),
        "found_in_95_percent_of_draws": found.sure(full),
        "count": len(full),
        "prompts_of_each_class": found.sizes.tolist(),
        "with_each_other": found.with_each_other.mean(axis=1).tolist(),
        "with_all": found.with_all.mean(axis=1).tolist(),
    }


def of_variations(found: Sequence[FoundAgain]) -> dict[str, Any]:
    """Return how far FULL is the same when the prompts are read, worded or introduced otherwise."""
    return {
        READING: readings_of_change.read_variations(found),
        "variations": [
            {
                "kind": one.kind,
                "name": one.name,
                "count": one.count,
                "shared": one.shared,
                "jaccard": one.jaccard if one.count else None,
                "expected_shared": one.chance.shared,
                "p": one.chance.p,
            }
            for one in found
        ],
    }
