"""Thresholds move in steps that suit the score's range, and are said as the slider shows them."""

import pytest

from safeneuron.scores.score import scores
from safeneuron.threshold_steps import in_steps, threshold_step, threshold_words


@pytest.mark.parametrize(("name", "step"), [("ES", 0.1), ("SNIP", 0.1), ("AtP", 0.01), ("Projection", 0.01)])
def test_a_step_is_a_hundredth_of_the_range_and_a_tenth_at_most(name, step):
    assert threshold_step(scores()[name]) == pytest.approx(step)


def test_every_scores_own_threshold_is_on_its_slider():
    for score in scores().values():
        assert in_steps(score, score.default_threshold) == pytest.approx(score.default_threshold, abs=0.002)


def test_values_are_taken_to_the_nearest_step_within_the_range():
    score = scores()["ES"]
    assert [in_steps(score, value) for value in (-1.0, 2.04, 2.06, 99.0)] == [0.0, 2.0, 2.1, 10.0]
    assert in_steps(scores()["AtP"], 0.0349) == 0.03


def test_words_have_as_many_digits_as_they_need():
    values = (6.0, 1.30103, 0.03, 99.5, 0.35, 0.0)
    assert [threshold_words(value) for value in values] == ["6.0", "1.3", "0.03", "99.5", "0.35", "0.0"]
