"""The parts of the analysis, each from what was read of the models to its numbers; no model in memory is needed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card
from safeneuron.overlap import summary, summary_of_runs
from safeneuron.overlap.categories import category_activations, dealt_out
from safeneuron.overlap.material import Material, recorded, scored
from safeneuron.overlap.moved import moved
from safeneuron.overlap.moved_categories import moved_categories
from safeneuron.overlap.moved_probes import moved_probes
from safeneuron.overlap.moved_writing import moved_writing
from safeneuron.overlap.representation import represent
from safeneuron.overlap.stability import stability
from safeneuron.overlap.summary import READING
from safeneuron.overlap.variations import found_again, variations
from safeneuron.overlap.writing import READINGS, kept_writing
from safeneuron.progress import Progress, silent

Materials = Mapping[str, Material]
"""By the model's source: the model itself, and those compared with."""
Thresholds = Mapping[str, float]


def part_named(name: str, materials: Materials, thresholds: Thresholds, progress: Progress = silent) -> dict[str, Any]:
    """Return the numbers of one part, by a name of :data:`PARTS`.

    Raises
    ------
    UserError
        When the prompts were not read yet, or cannot give these numbers: one category only, too few prompts, no
        neuron above the thresholds.
    """
    return PARTS[name](materials, thresholds, progress)


def _depth(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    sets = {source: scored(material).select(thresholds) for source, material in materials.items()}
    (first, own), *others = sets.items()
    pairs = [(own["ES"], own["SAS"], ("ES", "SAS"))]
    pairs += [(own["FULL"], theirs["FULL"], (f"FULL of {first}", f"FULL of {other}")) for other, theirs in others]
    return summary.of_depth({source: found["FULL"] for source, found in sets.items()}) | {
        "two_sets": [
            {"sets": list(names)} | _or_sentence(partial(summary.of_two_sets, *two, names)) for *two, names in pairs
        ]
    }


def _or_sentence(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is made, or why these prompts or sets do not allow it, which is no reason to keep the rest back."""
    try:
        return make()
    except UserError as error:
        return {READING: str(error)}


def _categories(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    material = _first(materials)
    found, dealt = (
        category_activations(material.model, *recorded(material), categories, progress)
        for categories in (material.categories, dealt_out(material.categories))
    )
    return summary.of_categories(found.sets(thresholds), dealt.sets(thresholds)) | {"notes": list(found.notes)}


def _layers(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    return summary.of_layers(represent(_first(materials), progress))


def _writing(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    material = _first(materials)
    found = kept_writing(material)
    if found is None:
        raise UserError("What the neurons write has not been added up yet; let it be added up first.")
    return summary.of_writing(found, scored(material).select(thresholds)["FULL"])


def _stability(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    material = _first(materials)
    full = scored(material).select(thresholds)["FULL"]
    return summary.of_stability(stability(material, thresholds, progress), full)


def _variations(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    source, material = next(iter(materials.items()))
    return summary.of_variations(found_again(material, variations(model_card(source), material), thresholds))


def _runs(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    (title, base), *rest = materials.items()
    others = dict(rest)
    found = summary_of_runs.of_moved(moved(base, others, thresholds))
    made = {
        "categories": lambda: summary_of_runs.of_moved_categories(
            moved_categories((title, base), others, thresholds, progress)
        ),
        "probes": lambda: summary_of_runs.of_moved_probes(moved_probes(base, others, progress)),
        "writing": lambda: {
            reading: summary_of_runs.of_moved_writing(moved_writing((title, base), others, thresholds, reading))
            for reading in READINGS
        },
    }
    return found | {name: _or_sentence(make) for name, make in made.items()}


PARTS = {
    "depth": _depth,
    "categories": _categories,
    "layers": _layers,
    "writing": _writing,
    "stability": _stability,
    "variations": _variations,
    "runs": _runs,
}


def _first(materials: Materials) -> Material:
    return next(iter(materials.values()))
