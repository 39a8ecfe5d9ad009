"""Few prompts in each class, so that a tiny model's records are made in a moment."""

import pytest

from safeneuron.neuron_card import records
from safeneuron.prompts import builtin
from safeneuron.prompts.classes import PromptClasses
from safeneuron.prompts.promptset import PromptSet

CATEGORIES = ("cybercrime", "fraud")


def few():
    """Return three built-in harmful prompts of each of two categories, and seven benign ones."""
    train = [row for row in builtin.harmful_prompts() if row.part == "train"]
    chosen = [row for name in CATEGORIES for row in [one for one in train if one.category == name][:3]]
    return chosen, builtin.benign("train").prompts[:7]


@pytest.fixture
def few_prompts(monkeypatch):
    """Let the cards be of these prompts alone, and return the built-in rows and the benign prompts."""
    chosen, benign = few()
    classes = PromptClasses(PromptSet("harmful", tuple(row.prompt for row in chosen)), PromptSet("benign", benign))
    monkeypatch.setattr(records, "classes_of", lambda: classes)
    twins = PromptSet("twins", tuple(row.twin for row in chosen))
    monkeypatch.setattr(records.builtin, "twins", lambda part: twins)
    return chosen, benign
