"""Reading what some parts of the analysis need of a model, in one pass over the prompts, and computing them.

What the command line does at once and a background job does in its own process.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.overlap.material import RECORD, STREAM, Material, read_material
from safeneuron.overlap.parts import PARTS, Materials, Thresholds, part_named
from safeneuron.overlap.variations import Variation, read_varied, variations
from safeneuron.overlap.writing import write_out, writing_is_kept
from safeneuron.progress import Progress, silent
from safeneuron.scores.score import ACTIVATIONS

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

ON_REQUEST = ("variations",)
"""Parts that are left out unless they are asked for, since they read all prompts again several times."""


def checked_parts(given: Sequence[str] | None, compared: bool) -> list[str]:
    """Return the parts that are asked for, in order; by default all that are not :data:`ON_REQUEST`.

    Parameters
    ----------
    compared : bool
        Whether there is another model; without, the part on runs is left out.

    Raises
    ------
    UserError
        When there is no such part, or it has no other model to be about.
    """
    for name in given or []:
        if name not in PARTS:
            raise UserError(f"There is no part {name!r}; choose of: {', '.join(PARTS)}.")
    if "runs" in (given or []) and not compared:
        raise UserError("The part runs is about other models beside this one; name them with --compare.")
    usual = [name for name in PARTS if name not in ON_REQUEST and (compared or name != "runs")]
    return [name for name in PARTS if name in (given or usual)]


def observed(parts: Collection[str], first: bool) -> set[str]:
    """Return the observations that parts need of the model itself (``first``), or of one compared with it."""
    names = {ACTIVATIONS}
    if "runs" in parts or (first and {"categories", "stability", "writing"} & set(parts)):
        names.add(RECORD)
    if "runs" in parts or (first and {"layers", "writing"} & set(parts)):
        names.add(STREAM)
    return names


def _writes(parts: Collection[str], first: bool) -> bool:
    """Return whether parts need what the neurons of the model itself (``first``), or of one beside it, write."""
    return "runs" in parts or (first and "writing" in parts)


def prompts_left(card: ModelCard, material: Material, parts: Collection[str], first: bool) -> int:
    """Return how many prompts the model still has to read for the parts, each once for every pass that it is in."""
    return sum(passes_left(card, material, parts, first))


def passes_left(card: ModelCard, material: Material, parts: Collection[str], first: bool) -> list[int]:
    """Return how many prompts each pass over both classes has that is still to be made for the parts."""
    passes = [material.prompts_to_read(observed(parts, first))]
    if _writes(parts, first) and material.pooling != "last":
        passes.append(replace(material, pooling="last").prompts_to_read([RECORD, STREAM]))
    return [left for left in (*passes, *(one.left for one in _varied(card, material, parts, first))) if left]


def read_parts(
    card: ModelCard,
    material: Material,
    parts: Collection[str],
    first: bool,
    models: "Callable[[], tuple[LoadedModel, LoadedModel]]",
    progress: Progress = silent,
) -> None:
    """Read what the parts need of a model, and add up what its neurons write; what is on disk is not read again.

    Parameters
    ----------
    first : bool
        Whether it is the model itself, and not one compared with it.
    models : callable
        Opens the weights, and returns them spoken to by themselves and as ``card`` says; called only if need be.
    """
    names = observed(parts, first)
    if material.prompts_to_read(names):
        read_material(models()[1], material, names, progress)
    if _writes(parts, first) and not writing_is_kept(material):
        at_last = replace(material, pooling="last")
        if at_last.prompts_to_read([RECORD, STREAM]):
            read_material(models()[1], at_last, [RECORD, STREAM], progress)
        write_out(models()[1], material, progress)
    waiting = [one for one in _varied(card, material, parts, first) if one.left]
    if waiting:
        read_varied(models()[0], waiting, progress)


def computed(
    materials: Materials, parts: Sequence[str], thresholds: Thresholds, progress: Progress = silent
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the numbers of parts whose prompts were read, and why the other parts have none; slow ones are kept.

    Returns
    -------
    dict of str to dict
        By part, of those that these prompts allow.
    dict of str to str
        By part, a sentence for each of the others.
    """
    found, refused = {}, {}
    for name in parts:
        try:
            found[name] = part_named(name, materials, thresholds, progress)
        except UserError as error:
            refused[name] = str(error)
    return found, refused


def _varied(card: ModelCard, material: Material, parts: Collection[str], first: bool) -> tuple[Variation, ...]:
    return variations(card, material) if first and "variations" in parts else ()
