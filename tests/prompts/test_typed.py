import json

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts.typed import MAX_PROMPTS, prompt_from_text, prompts_from_text


def test_lines_are_prompts_each_once():
    found = prompts_from_text("  one \r\n\n two\x00\rone\n\t\nthree\u2028still three\n")
    assert found.prompts == ("one", "two", "three\u2028still three")
    assert found.repeated == 1


def test_too_many_are_refused_with_both_numbers():
    lines = [f"prompt {number}" for number in range(10_000)]
    with pytest.raises(UserError, match="10,000 prompts, and at most 1,000"):
        prompts_from_text("\n".join(lines))
    assert len(prompts_from_text("\n".join(lines[:MAX_PROMPTS] * 2)).prompts) == MAX_PROMPTS


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x07", "\ud800", "\x1b[0m\n", "\u200b\ufeff"])
def test_nothing_is_no_prompt(text):
    for read in (prompt_from_text, prompts_from_text):
        with pytest.raises(UserError, match="write one"):
            read(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00b\x07c\x9b", "abc"),
        ("half \ud83d of one", "half  of one"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("whole \U0001f600, z\u0336, \u05d0", "whole \U0001f600, z\u0336, \u05d0"),
    ],
)
def test_what_nobody_sees_is_taken_out(llama, text, cleaned):
    found = prompt_from_text(text)
    assert found == cleaned
    assert json.loads(json.dumps(found).encode()) == found
    assert llama.tokenizer(found)["input_ids"]
