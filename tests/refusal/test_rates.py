"""A rate's interval is Wilson's."""

import pytest
from scipy.stats import binomtest

from safeneuron.refusal.rates import rate, rate_of


@pytest.mark.parametrize("n", [1, 2, 7, 64, 100, 1000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.91, 1.0])
def test_the_interval_is_scipys_wilson(n, share):
    k = round(share * n)
    found = rate(k / n, n, "arditi")
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_none_and_all_keep_one_end_at_the_border():
    assert rate(0.0, 10, "x").low == 0.0 and 0 < rate(0.0, 10, "x").high < 0.5
    assert rate(1.0, 10, "x").high == 1.0 and 0.5 < rate(1.0, 10, "x").low < 1


def test_a_mean_over_draws_lies_between_whole_numbers():
    low, middle, high = (rate(k / 10, 10, "x") for k in (3, 3.5, 4))
    assert low.low < middle.low < high.low and low.high < middle.high < high.high


def test_a_rate_of_verdicts():
    found = rate_of([True, False, False, True, False], "arditi")
    assert (found.value, found.n, found.judge) == (0.4, 5, "arditi")
    assert rate_of(iter([True]), "x").n == 1


def test_a_rate_of_nothing_is_an_error():
    for make in (lambda: rate(0.0, 0, "x"), lambda: rate_of([], "x")):
        with pytest.raises(ValueError, match="at least one"):
            make()


def test_it_is_never_shown_without_n_interval_and_judge():
    assert str(rate_of([True] * 3 + [False], "arditi")) == "75.0% [30.1%, 95.4%] (n = 4, judge arditi)"
