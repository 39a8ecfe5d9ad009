"""Every prompt counts once, and what readers of the scores should know is said."""

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts.classes import prompt_classes
from safeneuron.prompts.promptset import PromptSet


def classes(harmful, benign):
    return prompt_classes(PromptSet("bad", tuple(harmful)), PromptSet("good", tuple(benign)))


def test_clean_classes_stay_as_they_are():
    found = classes(["a", "b"], ["c", "d"])
    assert (found.harmful.prompts, found.benign.prompts, found.notes) == (("a", "b"), ("c", "d"), ())


def test_a_repeated_prompt_counts_once():
    found = classes(["a", "b", "a", "a"], ["c", "d"])
    assert found.harmful.prompts == ("a", "b")
    assert found.notes == ("2 prompts are a repetition in bad and counted once.",)


def test_a_prompt_of_both_classes_is_left_out_of_both():
    found = classes(["a", "b", "x"], ["x", "c", "d"])
    assert (found.harmful.prompts, found.benign.prompts) == (("a", "b"), ("c", "d"))
    assert found.notes == ("1 prompt is in both classes and left out of both.",)


def test_classes_of_very_different_size_are_used_and_said():
    found = classes(["a", "b"], [str(number) for number in range(8)])
    assert len(found.benign) == 8
    assert "2 and 8 prompts" in found.notes[0]
    assert classes(["a", "b"], [str(number) for number in range(7)]).notes == ()


@pytest.mark.parametrize(
    ("harmful", "benign"), [(["a"], ["b", "c"]), (["a", "a"], ["b", "c"]), (["a", "b"], ["b", "c"])]
)
def test_a_class_needs_two_prompts(harmful, benign):
    with pytest.raises(UserError, match="at least two"):
        classes(harmful, benign)


def test_the_built_in_classes_need_no_cleaning():
    from safeneuron.scoring import classes_of, default_prompts

    found = classes_of()
    assert (found.harmful, found.benign) == default_prompts()
    assert found.notes == ()
