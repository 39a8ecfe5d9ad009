"""Whether the same neurons still write towards refusing after training, and how much.

For each of several models of one shape, on the same prompts as the base: what its own safety neurons write in each
layer (``writing.py``), and what the base's safety neurons write in it. A refusal direction is each model's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.overlap.material import Material, scored
from safeneuron.overlap.two_sets import require_neurons, require_one_shape
from safeneuron.overlap.writing import LayerWriting, Writing, kept_writing


@dataclass(frozen=True)
class WritingOf:
    """What sets of neurons write in one model.

    Parameters
    ----------
    title : str
    own : LayerWriting or None
        Of the model's own FULL; None where it has no safety neuron under these thresholds.
    bases : LayerWriting
        Of the base's FULL, in this model.
    """

    title: str
    own: LayerWriting | None
    bases: LayerWriting


def moved_writing(
    base: tuple[str, Material], others: Mapping[str, Material], thresholds: Mapping[str, float], reading: str
) -> tuple[WritingOf, ...]:
    """Return what the safety neurons write in the base, which comes first, and in each model, by its title.

    Parameters
    ----------
    reading : {"direction", "logits"}

    Raises
    ------
    UserError
        When a model's writing was not added up yet, the models differ in shape, or the base has no safety neuron.
    """
    title, material = base
    full = _full(title, material, thresholds)
    require_neurons(full, "FULL of the base")
    found = []
    for name, one in {title: material, **others}.items():
        own = _full(name, one, thresholds)
        require_one_shape(name, own.shape, full.shape)
        written = _written(name, one)
        found.append(
            WritingOf(
                title=name,
                own=written.by_layer(own, reading) if own.neurons else None,
                bases=written.by_layer(full, reading),
            )
        )
    return tuple(found)


def _full(title: str, material: Material, thresholds: Mapping[str, float]) -> NeuronSet:
    return replace(scored(material).select(thresholds)["FULL"], name=f"FULL of {title}")


def _written(title: str, material: Material) -> Writing:
    found = kept_writing(material)
    if found is None:
        raise UserError(f"What the neurons of {title} write has not been added up yet; let it be added up first.")
    return found
