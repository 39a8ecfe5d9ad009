"""Curves of two models are drawn over each other only where both were asked the same."""

from safeneuron.degradation.compared import compared_curves
from safeneuron.degradation.curve import DegradationCurve, Point
from safeneuron.degradation.settings import DegradationSettings

QUICK, ANSWERS = DegradationSettings.quick(), DegradationSettings()


def curve(model, settings=QUICK, among="", points=1, name=""):
    measured = tuple(Point(count, None, {}, {"harmful": 1.0}, 2.0, 0.1) for count in range(points))
    return DegradationCurve(f"{model} {name}", model, model, settings, among, {}, 2, measured, 0.0)


def test_a_pair_goes_before_a_newer_single_curve():
    newest, first, second = curve("parent", ANSWERS), curve("parent"), curve("trained", points=2)
    found = compared_curves([newest, first, second], "parent", "trained")
    assert (found.settings, found.curves) == (QUICK, (first, second))
    assert not found.whole


def test_of_equals_the_newest_counts():
    newer, older = (curve("parent", settings) for settings in (ANSWERS, QUICK))
    assert compared_curves([newer, older], "parent", "trained").curves == (newer, None)
    twice = [curve("trained", points=2, name=name) for name in ("new", "old")]
    whole = compared_curves([*twice, curve("parent", points=2)], "parent", "trained")
    assert whole.curves[1] == twice[0] and whole.whole


def test_other_models_sets_and_empty_curves_are_passed_over():
    others = [curve("another"), curve("parent", among="FULL"), curve("trained", points=0)]
    found = compared_curves(others, "parent", "trained")
    assert (found.settings, found.curves) == (QUICK, (None, None))
