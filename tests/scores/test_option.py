"""Options in the type they declare, or one sentence."""

import pytest

from safeneuron.errors import UserError
from safeneuron.scores.option import Option, settled

OPTIONS = (
    Option("share", "Share", "Per cent.", 5.0, bounds=(0.0, 50.0), step=0.5),
    Option("prompts", "Prompts", "How many.", 32, bounds=(2, 512)),
    Option("measure", "Measure", "Of what.", "cosine", choices=("cosine", "projection")),
)


def test_what_is_not_given_has_its_default():
    assert settled(OPTIONS, {}) == {"share": 5.0, "prompts": 32, "measure": "cosine"}


def test_texts_of_the_command_line_become_what_the_option_is():
    found = settled(OPTIONS, {"share": "7", "prompts": "16", "measure": "projection"})
    assert found == {"share": 7.0, "prompts": 16, "measure": "projection"}
    assert [type(value) for value in found.values()] == [float, int, str]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shares": 1}, "no option 'shares'.*share, prompts, measure"),
        ({"share": 51}, "from 0 to 50"),
        ({"share": "nan"}, "from 0 to 50"),
        ({"prompts": "many"}, "from 2 to 512"),
        ({"prompts": "3.5"}, "from 2 to 512"),
        ({"measure": "angle"}, "cosine, projection"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        settled(OPTIONS, given)


def test_a_score_without_options_says_so():
    with pytest.raises(UserError, match="it has none"):
        settled((), {"share": 1})
