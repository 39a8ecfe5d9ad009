"""A run that makes no sense is refused where its settings are written down."""

import pytest

from safeneuron.errors import UserError
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings, steps_in_words


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"thresholds": {"ES": float("nan")}}, "A threshold must be"),
        ({"thresholds": {"SAS": -1.0}}, "A threshold must be"),
        ({"pooling": "first"}, "There is no pooling 'first'"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        TrainingSettings(**wrong)


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(UserError, match="share of the steps, from 0 to 1"):
        MaskedDPOSettings(warmup=2.0)


def test_settings_survive_the_way_through_json():
    settings = TrainingSettings(MaskedDPOSettings(max_steps=3, threads=1), thresholds={"ES": 1.5}, pooling="mean")
    assert TrainingSettings.from_json(settings.to_json()) == settings


def test_one_step_is_no_steps():
    assert (steps_in_words(1), steps_in_words(2), steps_in_words(1200)) == ("1 step", "2 steps", "1,200 steps")
