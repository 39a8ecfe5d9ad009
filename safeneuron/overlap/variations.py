"""Whether the same safety neurons are found when the prompts are read, worded or introduced otherwise.

Three kinds of variation, each of one thing at a time: where in the prompt the activations are read (the paper does not
say, paper.md 1.2), frames around every prompt, and system prompts (``safeneuron/prompts/wordings.py``), among them the
chat formats that the person has kept. Each needs one more pass, of which only means and variances are kept.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.models.card import ModelCard
from safeneuron.models.chat_format import ChatFormat
from safeneuron.models.chat_names import in_format, in_named_chats, split, spoken_as
from safeneuron.overlap.chance import Chance, chance_of
from safeneuron.overlap.material import Material, scored
from safeneuron.overlap.two_sets import require_neurons
from safeneuron.progress import Progress, silent
from safeneuron.prompts.wordings import SYSTEM_PROMPTS, WORDINGS, reworded
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.statistics import POOLINGS

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

READ_AT, WORDED, TOLD = "read at", "wording", "system prompt"
KINDS = (READ_AT, WORDED, TOLD)


@dataclass(frozen=True)
class Variation:
    """One way of reading the same prompts otherwise.

    Parameters
    ----------
    kind : {"read at", "wording", "system prompt"}
    name : str
    material : Material
    card : ModelCard
        The model as it is then spoken to.
    """

    kind: str
    name: str
    material: Material
    card: ModelCard

    @property
    def left(self) -> int:
        """How many prompts have to be read for it."""
        return self.material.prompts_to_read([ACTIVATIONS])


@dataclass(frozen=True)
class FoundAgain:
    """What a variation's safety neurons share with those that are varied.

    Parameters
    ----------
    kind, name : str
        Of the variation.
    count, shared : int
        Neurons in its FULL, and in both.
    jaccard : float
        Not a number where it has no neuron.
    chance : Chance
        Of sets with as many neurons in each layer.
    """

    kind: str
    name: str
    count: int
    shared: int
    jaccard: float
    chance: Chance


def variations(card: ModelCard, material: Material, kinds: Collection[str] = KINDS) -> tuple[Variation, ...]:
    """Return every variation of a model's material, read before or not."""
    found = [Variation(READ_AT, name, replace(material, pooling=name), card) for name in POOLINGS]
    found += [
        Variation(WORDED, name, replace(material, classes=reworded(material.classes, name)), card) for name in WORDINGS
    ]
    found += [
        Variation(TOLD, name, replace(material, model=told.fingerprint), told)
        for name, told in _told_otherwise(card).items()
    ]
    return tuple(one for one in found if one.kind in kinds and one.material != material)


def read_varied(plain: "LoadedModel", waiting: Sequence[Variation], progress: Progress = silent) -> None:
    """Read what is missing of some variations; a pass that is stopped is gone on with.

    Parameters
    ----------
    plain : LoadedModel
        The weights, spoken to as they are by themselves.

    Raises
    ------
    UserError
        When the model's chat template does not take a system prompt.
    """
    from safeneuron.observing import observe

    for one in waiting:
        spoken = spoken_as(plain, one.card) if one.card.chat else plain
        for target, kind in zip(one.material.targets, ("harmful", "benign"), strict=True):
            observe(spoken, target, {ACTIVATIONS}, progress, f"{one.kind.capitalize()}: {one.name}, {kind} prompts")


def found_again(
    material: Material, varied: Sequence[Variation], thresholds: Mapping[str, float]
) -> tuple[FoundAgain, ...]:
    """Return what each variation that was read shares with the material's own FULL.

    Raises
    ------
    UserError
        When the prompts were not read yet, or no neuron is above the thresholds.
    """
    full = scored(material).select(thresholds)["FULL"]
    require_neurons(full)
    found = []
    for one in varied:
        theirs = one.material.table()
        if theirs is None:
            continue
        chosen = theirs.select(thresholds)["FULL"].mask()
        shared, either = int((chosen & full.mask()).sum()), int((chosen | full.mask()).sum())
        count = int(chosen.sum())
        jaccard = shared / either if count else np.nan
        found.append(FoundAgain(one.kind, one.name, count, shared, jaccard, chance_of(full.mask(), chosen)))
    return tuple(found)


def _told_otherwise(card: ModelCard) -> dict[str, ModelCard]:
    """Return the model with other system prompts, by name: by itself, in the kept formats, with the built-in ones."""
    plain, template = card.plain or card, card.chat.template if card.chat else ""
    found = {"the model's own": plain}
    found |= {f"your {split(named.source)[1]}": named for named in in_named_chats(plain)}
    found |= {name: in_format(plain, name, ChatFormat(template, text)) for name, text in SYSTEM_PROMPTS.items()}
    return {name: told for name, told in found.items() if told.fingerprint != card.fingerprint}
