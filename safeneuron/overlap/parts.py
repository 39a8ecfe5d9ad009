"""The parts of the analysis, each from what was read of the models to its numbers; no model in memory is needed."""

from collections.abc import Mapping
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card
from safeneuron.overlap import summary
from safeneuron.overlap.categories import category_activations, dealt_out
from safeneuron.overlap.material import RECORD, Material
from safeneuron.overlap.moved import moved
from safeneuron.overlap.representation import represent
from safeneuron.overlap.stability import stability
from safeneuron.overlap.summary import READING
from safeneuron.overlap.variations import found_again, variations
from safeneuron.overlap.writing import kept_writing
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
    sets = {source: _table(material).select(thresholds) for source, material in materials.items()}
    (first, own), *others = sets.items()
    pairs = [(own["ES"], own["SAS"], ("ES", "SAS"))]
    pairs += [(own["FULL"], theirs["FULL"], (f"FULL of {first}", f"FULL of {other}")) for other, theirs in others]
    return summary.of_depth({source: found["FULL"] for source, found in sets.items()}) | {
        "two_sets": [_two_sets(*pair) for pair in pairs]
    }


def _two_sets(first: Any, second: Any, names: tuple[str, str]) -> dict[str, Any]:
    # One of the scores may select no neuron, which is no reason to keep the rest back.
    try:
        return summary.of_two_sets(first, second, names)
    except UserError as error:
        return {READING: str(error), "sets": list(names)}


def _categories(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    material = _first(materials)
    found, dealt = (
        category_activations(material.model, *_records(material, RECORD), categories, progress)
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
    return summary.of_writing(found, _table(material).select(thresholds)["FULL"])


def _stability(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    material = _first(materials)
    full = _table(material).select(thresholds)["FULL"]
    return summary.of_stability(stability(material, thresholds, progress), full)


def _variations(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    source, material = next(iter(materials.items()))
    return summary.of_variations(found_again(material, variations(model_card(source), material), thresholds))


def _runs(materials: Materials, thresholds: Thresholds, progress: Progress) -> dict[str, Any]:
    (_, base), *others = materials.items()
    return summary.of_moved(moved(base, dict(others), thresholds))


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


def _table(material: Material) -> Any:
    found = material.table()
    if found is None:
        raise material.unread()
    return found


def _records(material: Material, name: str) -> Any:
    found = material.records(name)
    if found is None:
        raise material.unread()
    return found
