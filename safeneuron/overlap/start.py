"""The analysis in the background: what the page's button and the command line both call. Needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from safeneuron import duration
from safeneuron.models.card import ModelCard
from safeneuron.models.names import absolute
from safeneuron.models.parameters import architecture_of
from safeneuron.overlap.analysis import observed, prompts_left
from safeneuron.overlap.material import RECORD, STREAM, Material
from safeneuron.prompts.classes import PromptClasses
from safeneuron.prompts.promptset import PromptSet
from safeneuron.runs.starting import start_job
from safeneuron.sizes import size_words

KIND = "overlap"
JOB = "safeneuron.overlap.job:run"
READING, COMPARING = "Reading the prompts", "Comparing"
NOT_COMPARED = "not_compared"
"""Under this name a run keeps, by part, why its prompts do not allow it."""
PHASES = {READING: 20.0, COMPARING: 5.0}

Models = Sequence[tuple[ModelCard, Material]]
"""The model itself, and those compared with, each with what is read of it."""


def start_analysis(models: Models, parts: Sequence[str], thresholds: Mapping[str, float]) -> str:
    """Start reading and comparing in the background and return the run's id; what is on disk is not done again.

    Parameters
    ----------
    parts : sequence of str
        Of :data:`safeneuron.overlap.parts.PARTS`.
    thresholds : mapping of str to float
        By score; the stability of the sets is that under these.

    Raises
    ------
    UserError
        When the process could not be started.
    """
    (card, material), *_ = models
    asked: dict[str, Any] = {
        "sources": [absolute(found.source) for found, _ in models],
        "prompts": material_json(material),
        "parts": list(parts),
        "thresholds": dict(thresholds),
    }
    flat = {"source": asked["sources"][0], "analysis": ", ".join(parts), "pooling": material.pooling}
    return start_job(f"Overlap: {', '.join(parts)}, {card.title}", KIND, JOB, asked | flat, PHASES)


def cost(models: Models, parts: Sequence[str]) -> str:
    """Say how many prompts are still to read, how long that takes and what is kept; needs no model in memory."""
    left = [prompts_left(card, material, parts, first=place == 0) for place, (card, material) in enumerate(models)]
    if not sum(left):
        return f"all prompts are read; {duration.of_analysis(left, models[0][0])}"
    size = sum(
        bytes_to_keep(card, material, observed(parts, first=place == 0))
        for place, (card, material) in enumerate(models)
    )
    times = f" by {len(models)} models together" if len(models) > 1 else ""
    return (
        f"{sum(left):,} prompts to read{times}, {size_words(size)} to keep in the workspace: "
        f"{duration.of_analysis(left, models[0][0])}"
    )


def bytes_to_keep(card: ModelCard, material: Material, names: set[str]) -> int:
    """Return how much of the disk what is observed of every prompt takes, of what is not there yet; at most."""
    sizes = architecture_of(card)
    # Until the model's config is here: no model's stream is wider than its layers.
    known = {RECORD: card.d_mlp, STREAM: sizes.d_model if sizes else card.d_mlp}
    # Means and variances take next to nothing.
    return material.bytes_to_keep({name: width for name, width in known.items() if name in names}, card.n_layers)


def material_json(material: Material) -> dict[str, Any]:
    """Return prompts, categories and pooling of a material as :func:`material_from` reads them."""
    return {
        "harmful": asdict(material.classes.harmful),
        "benign": asdict(material.classes.benign),
        "categories": dict(material.categories),
        "pooling": material.pooling,
    }


def material_from(model: str, value: Mapping[str, Any]) -> Material:
    """Return the material of the model with this fingerprint from what :func:`material_json` wrote."""
    classes = PromptClasses(
        *(PromptSet(value[kind]["name"], tuple(value[kind]["prompts"])) for kind in ("harmful", "benign"))
    )
    return Material(model, classes, value["categories"], value["pooling"])
