"""The pairs of classes that a page offers, all of the training part."""

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts import builtin
from safeneuron.prompts.choices import BUILT_IN, TWINS, categories_of, choices, chosen_classes
from safeneuron.prompts.own_classes import keep_classes
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scoring import classes_of


def test_the_first_is_what_safety_neurons_are_identified_with():
    assert choices()[0] == BUILT_IN
    assert chosen_classes(BUILT_IN) == classes_of()


def test_twins_stand_against_the_prompts_that_they_resemble():
    found = chosen_classes(TWINS)
    assert found.harmful == builtin.harmful("train")
    assert set(found.benign.prompts) == set(builtin.twins("train").prompts)


def test_own_prompts_are_kept_under_their_name(home):
    keep_classes("mine", PromptSet("bad", ("a", "b", "x")), PromptSet("good", ("x", "c", "d")))
    assert choices()[2] == "own: mine"
    found = chosen_classes("own: mine")
    assert (found.harmful, found.benign.prompts) == (PromptSet("bad", ("a", "b")), ("c", "d"))
    assert "in both classes" in found.notes[0]
    with pytest.raises(UserError, match="called mine already"):
        keep_classes("mine", PromptSet("bad", ("a", "b")), PromptSet("good", ("c", "d")))
    with pytest.raises(UserError, match="no prompts called 'yours'"):
        chosen_classes("own: yours")
    (home / "prompts" / "mine.json").write_text("{")
    with pytest.raises(UserError, match="bring the prompts again"):
        chosen_classes("own: mine")


def test_own_prompts_keep_the_categories_that_they_came_with(home):
    bad, good = PromptSet("bad", ("a", "b", "x")), PromptSet("good", ("x", "c", "d"))
    keep_classes("mine", bad, good, {"a": "one", "b": "two", "x": "two"})
    assert categories_of("own: mine", chosen_classes("own: mine")) == {"a": "one", "b": "two"}
    (home / "prompts" / "mine.json").write_text('{"categories": 3}')
    with pytest.raises(UserError, match="bring the prompts again"):
        categories_of("own: mine", chosen_classes(BUILT_IN))


def test_built_in_prompts_that_were_brought_without_categories_have_their_own(home):
    known = builtin.harmful_prompts()[0]
    keep_classes("mine", PromptSet("bad", (known.prompt, "b")), PromptSet("good", ("c", "d")))
    assert categories_of("own: mine", chosen_classes("own: mine")) == {known.prompt: known.category}
    every = categories_of(BUILT_IN, chosen_classes(BUILT_IN))
    assert every.keys() == set(builtin.harmful("train").prompts) and set(every.values()) == set(builtin.categories())


@pytest.mark.parametrize("name", ["", "../up", "a/b", "x" * 61, ".hidden"])
def test_what_cannot_name_prompts(home, name):
    with pytest.raises(UserError, match="cannot name prompts"):
        keep_classes(name, PromptSet("bad", ("a", "b")), PromptSet("good", ("c", "d")))
    assert not list(home.rglob("*.json"))


def test_too_few_prompts_are_not_kept(home):
    with pytest.raises(UserError, match="at least two"):
        keep_classes("mine", PromptSet("bad", ("a",)), PromptSet("good", ("c", "d")))
    assert choices()[2].startswith("category: ")


def test_the_categories_share_the_harmful_prompts_among_them():
    found = [chosen_classes(name) for name in choices()[2:]]
    assert len(found) == len(builtin.categories())
    prompts = [prompt for classes in found for prompt in classes.harmful.prompts]
    assert sorted(prompts) == sorted(builtin.harmful("train").prompts)
    assert all(classes.benign == builtin.benign("train") for classes in found)


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="There are no prompts called 'category: gardening'"):
        chosen_classes("category: gardening")
