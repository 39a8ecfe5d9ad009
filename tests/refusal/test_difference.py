"""The interval of a difference: a published value, its coverage, and what it says of extremes."""

import numpy as np
import pytest

from safeneuron.refusal.difference import hybrid_score_interval, paired_difference
from safeneuron.refusal.rates import rate


def test_independent_samples_give_newcombes_published_interval():
    """56/70 against 48/80 (Statistics in Medicine 17, 873, 1998, table II a, method 10)."""
    found = hybrid_score_interval(rate(56 / 70, 70, "x"), rate(48 / 80, 80, "x"))
    assert found.points == pytest.approx(20.0)
    assert (found.low, found.high) == (pytest.approx(5.24, abs=0.005), pytest.approx(33.39, abs=0.005))


@pytest.mark.parametrize(("both", "first", "second"), [(0.6, 0.25, 0.05), (0.85, 0.05, 0.05), (0.2, 0.1, 0.6)])
def test_about_95_of_100_intervals_hold_the_truth(both, first, second):
    generator = np.random.default_rng(0)
    shares = [both, first, second, 1 - both - first - second]
    held = 0
    for _ in range(1000):
        kind = generator.choice(4, size=64, p=shares)
        found = paired_difference((kind <= 1).astype(float), np.isin(kind, (0, 2)).astype(float), "x")
        held += found.low <= 100 * (first - second) <= found.high
    assert 0.93 <= held / 1000 <= 0.99


def test_agreement_on_the_same_prompts_narrows_it():
    first, second = [1.0] * 20 + [0.0] * 12, [1.0] * 16 + [0.0] * 16
    paired = paired_difference(first, second, "x")
    independent = hybrid_score_interval(rate(20 / 32, 32, "x"), rate(16 / 32, 32, "x"))
    assert paired.points == independent.points == pytest.approx(12.5)
    assert independent.low < paired.low < paired.points < paired.high < independent.high


@pytest.mark.parametrize("refused", [[1.0] * 8, [0.0] * 8])
def test_models_that_agree_on_everything_still_have_an_interval(refused):
    found = paired_difference(refused, refused, "x")
    assert found.points == 0 and found.low < 0 < found.high


def test_the_same_verdicts_throughout_differ_by_less_than_other_prompts_would():
    verdicts = [1.0, 0.0, 1.0, 0.5]
    found = paired_difference(verdicts, verdicts, "x")
    independent = hybrid_score_interval(rate(0.625, 4, "x"), rate(0.625, 4, "x"))
    assert found.points == 0.0
    assert independent.low < found.low <= 0 <= found.high < independent.high


def test_other_prompts_are_no_pairs():
    with pytest.raises(ValueError, match="same prompts"):
        paired_difference([1.0], [1.0, 0.0], "x")
