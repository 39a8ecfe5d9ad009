"""The pairs of prompt classes that a page offers to score neurons with, by name.

What a neuron is scored with decides what its score means: against ordinary benign prompts it may
answer to a topic; against safe twins, which share their words with the harmful prompts, to the harm.
"""

from safeneuron.errors import UserError
from safeneuron.prompts import builtin
from safeneuron.prompts.classes import PromptClasses, prompt_classes
from safeneuron.prompts.own_classes import own_categories, own_classes, own_names
from safeneuron.prompts.promptset import PromptSet

BUILT_IN = "built-in prompts"
TWINS = "harmful prompts and their safe twins"
_CATEGORY, _OWN = "category: ", "own: "


def choices() -> tuple[str, ...]:
    """Return the names of all pairs, the one that safety neurons are identified with first."""
    categories = (f"{_CATEGORY}{category}" for category in builtin.categories())
    return BUILT_IN, TWINS, *(own_choice(name) for name in own_names()), *categories


def own_choice(name: str) -> str:
    """Return what a kept pair of the person's own is called here."""
    return f"{_OWN}{name}"


def chosen_classes(name: str) -> PromptClasses:
    """Return a pair of classes; of built-in prompts the ``train`` part.

    Parameters
    ----------
    name : str
        :data:`BUILT_IN`: harmful and benign prompts; :data:`TWINS`: harmful prompts and their safe twins;
        "category: ..." one category's harmful prompts and all benign ones; "own: ..." the person's own.

    Raises
    ------
    UserError
        When there is no such pair.
    """
    harmful, benign = builtin.harmful("train"), builtin.benign("train")
    if name == BUILT_IN:
        return prompt_classes(harmful, benign)
    if name == TWINS:
        return prompt_classes(harmful, builtin.twins("train"))
    if name.startswith(_OWN):
        return own_classes(name.removeprefix(_OWN))
    category = name.removeprefix(_CATEGORY)
    found = tuple(row.prompt for row in builtin.harmful_prompts() if row.part == "train" and row.category == category)
    if not found:
        raise UserError(f"There are no prompts called {name!r}; choose one of: {', '.join(choices())}.")
    return prompt_classes(PromptSet(f"built-in harmful, train, {category}", found), benign)


def categories_of(name: str, classes: PromptClasses) -> dict[str, str]:
    """Return the category of harm of each harmful prompt of a pair of classes, of those that have one.

    The person's own, where they brought some along with their prompts; else those of built-in prompts.

    Parameters
    ----------
    name : str
        Of the pair; ``classes`` are what :func:`chosen_classes` returned for it.
    """
    own = own_categories(name.removeprefix(_OWN)) if name.startswith(_OWN) else {}
    known = own or {row.prompt: row.category for row in builtin.harmful_prompts()}
    return {prompt: known[prompt] for prompt in classes.harmful.prompts if prompt in known}
