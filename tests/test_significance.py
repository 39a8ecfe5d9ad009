"""The interval of d: against direct resampling, and at its ends."""

import numpy as np
import pytest

from safeneuron.significance import cohens_d, effect_size_interval


def direct(harmful, benign):
    squares = sum(((one - one.mean()) ** 2).sum() for one in (harmful, benign))
    return (harmful.mean() - benign.mean()) / np.sqrt(squares / (len(harmful) + len(benign) - 2))


def test_d_is_the_papers():
    generator = np.random.default_rng(0)
    harmful, benign = generator.normal(1, 2, 30), generator.normal(0, 1, 20)
    assert cohens_d(harmful, benign) == pytest.approx(direct(harmful, benign))


def test_the_interval_is_that_of_drawing_each_class_again():
    generator = np.random.default_rng(1)
    harmful, benign = generator.normal(1, 1, 60), generator.normal(0, 1, 40)
    low, high = effect_size_interval(harmful, benign)
    drawn = [direct(generator.choice(harmful, 60), generator.choice(benign, 40)) for _ in range(4000)]
    np.testing.assert_allclose((low, high), np.quantile(drawn, (0.025, 0.975)), atol=0.06)
    assert (low, high) == effect_size_interval(harmful, benign)
    assert low < direct(harmful, benign) < high


def test_an_activation_that_does_not_vary_has_no_effect_size():
    assert effect_size_interval(np.full(5, 3.0), np.full(4, 1.0)) == (0.0, 0.0)
