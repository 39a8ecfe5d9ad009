"""Named thresholds of ES and SAS: the paper's values per family, and those of the embedded model.

The paper gives tau_ES = 3, tau_SAS = 2 for Qwen and 2, 2 for Llama (arXiv 2602.12158, App. B.3) and
none for other families. Those of ``smollm2-135m-safe`` were chosen so that FULL carries its refusals
in few neurons (README says on which prompts); they hold for what was trained from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL, lineage
from safeneuron.models.parameters import model_type_of


@dataclass(frozen=True)
class Preset:
    """Thresholds under a name.

    Parameters
    ----------
    name : str
    thresholds : mapping of str to float
        By score.
    model_types : tuple of str
        ``model_type`` of the Hugging Face configs that the values were given for.
    """

    name: str
    thresholds: Mapping[str, float]
    model_types: tuple[str, ...] = ()


EMBEDDED = Preset(f"{DEFAULT_MODEL}'s own", {"ES": 2.0, "SAS": 6.0})
LLAMA = Preset("the paper's, Llama", {"ES": 2.0, "SAS": 2.0}, ("llama",))
QWEN = Preset("the paper's, Qwen", {"ES": 3.0, "SAS": 2.0}, ("qwen2", "qwen3"))
PRESETS = (EMBEDDED, LLAMA, QWEN)


def preset_of(card: ModelCard) -> tuple[Preset, str]:
    """Return the preset that a model starts with, and a sentence that says why."""
    if any(found.source == DEFAULT_MODEL for found in lineage(card)):
        return EMBEDDED, f"These thresholds were chosen for {DEFAULT_MODEL}."
    kind = model_type_of(card)
    for preset in PRESETS:
        if kind in preset.model_types:
            return preset, f"The paper's thresholds for the family {kind}."
    return LLAMA, (
        f"The paper gives no thresholds for the family {kind}: these are its lower ones, for Llama."
        if kind
        else "The model's family is not known yet: these are the paper's lower thresholds, for Llama."
    )


def thresholds_of(card: ModelCard) -> dict[str, float]:
    """Return the thresholds by score that a model starts with."""
    return dict(preset_of(card)[0].thresholds)
