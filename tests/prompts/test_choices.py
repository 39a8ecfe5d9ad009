"""The pairs of classes that a page offers, all of the training part."""

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts import builtin
from safeneuron.prompts.choices import BUILT_IN, TWINS, choices, chosen_classes
from safeneuron.scoring import classes_of


def test_the_first_is_what_safety_neurons_are_identified_with():
    assert choices()[0] == BUILT_IN
    assert chosen_classes(BUILT_IN) == classes_of()


def test_twins_stand_against_the_prompts_that_they_resemble():
    found = chosen_classes(TWINS)
    assert found.harmful == builtin.harmful("train")
    assert set(found.benign.prompts) == set(builtin.twins("train").prompts)


def test_the_categories_share_the_harmful_prompts_among_them():
    found = [chosen_classes(name) for name in choices()[2:]]
    assert len(found) == len(builtin.categories())
    prompts = [prompt for classes in found for prompt in classes.harmful.prompts]
    assert sorted(prompts) == sorted(builtin.harmful("train").prompts)
    assert all(classes.benign == builtin.benign("train") for classes in found)


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="There are no prompts called 'category: gardening'"):
        chosen_classes("category: gardening")
