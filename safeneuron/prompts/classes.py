"""The two classes of prompts that neurons are scored with, cleaned, and what is worth saying of them.

Each prompt counts once: one that occurs again in its class is left out, and one that is in both
classes is left out of both, since it would say of itself that it is harmful and harmless. Classes of
very different size are used as they are; the larger one then decides the pooled standard deviation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from safeneuron.errors import UserError
from safeneuron.prompts.promptset import PromptSet
from safeneuron.workspace import fingerprint

LOPSIDED = 4
"""From this ratio of sizes on, what the larger class does to the scores is said."""


@dataclass(frozen=True)
class PromptClasses:
    """Harmful and benign prompts, every one of them once.

    Parameters
    ----------
    harmful, benign : PromptSet
    notes : tuple of str
        A sentence for each thing that a reader of the scores should know of them.
    """

    harmful: PromptSet
    benign: PromptSet
    notes: tuple[str, ...] = ()


def prompt_classes(harmful: PromptSet, benign: PromptSet) -> PromptClasses:
    """Return the two classes without repeated and contradictory prompts.

    Raises
    ------
    UserError
        When fewer than two prompts are left in a class.
    """
    both = set(harmful.prompts) & set(benign.prompts)
    notes, cleaned = [], []
    if both:
        notes.append(f"{_counted(len(both))} in both classes and left out of both.")
    for prompts in (harmful, benign):
        once = tuple(prompt for prompt in dict.fromkeys(prompts.prompts) if prompt not in both)
        repeated = len(prompts.prompts) - len(set(prompts.prompts))
        if repeated:
            notes.append(f"{_counted(repeated)} a repetition in {prompts.name} and counted once.")
        if len(once) < 2:
            raise UserError(
                f"{prompts.name} has {len(once)} {'prompt' if len(once) == 1 else 'prompts'} to score with, after "
                "repetitions and prompts of both classes are left out; a class needs at least two, so give it more."
            )
        cleaned.append(PromptSet(prompts.name, once))
    sizes = sorted(len(prompts) for prompts in cleaned)
    if sizes[1] >= LOPSIDED * sizes[0]:
        notes.append(
            f"The classes have {sizes[0]:,} and {sizes[1]:,} prompts: the spread of the larger one decides the effect "
            "size, and the mean of the smaller one is uncertain."
        )
    return PromptClasses(*cleaned, tuple(notes))


def _counted(count: int) -> str:
    return "1 prompt is" if count == 1 else f"{count:,} prompts are"


def calibration_order(prompts: Iterable[str]) -> list[str]:
    """Return prompts in an order that is theirs alone: a file's own order often goes by topic."""
    return sorted(prompts, key=lambda prompt: (fingerprint("calibration", prompt), prompt))
