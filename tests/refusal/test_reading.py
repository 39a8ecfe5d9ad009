import numpy as np
import pytest

from safeneuron.refusal.reading import Reading


def test_means_shifts_and_differences():
    one = Reading(np.array([4.0, 2.0, -3.0]), np.array([1.0, 0.0, -5.0]), (True, True, False))
    other = Reading(np.array([4.0, 4.0, -3.0]), np.array([3.0, 3.0, -4.0]), (True, True, False))
    assert (one.count(True), one.count(False)) == (2, 1)
    assert (one.average(True), one.average(True, ablated=False), one.average(False)) == (0.5, 3.0, -5.0)
    assert (one.shift(True), one.shift(False)) == (-2.5, -2.0)
    assert (other.above(one, True), other.above(one, False)) == pytest.approx((2.5, 1.0))
