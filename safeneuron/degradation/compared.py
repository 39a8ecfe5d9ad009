"""Degradation curves of two models that were asked the same, so that they can be drawn over each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from safeneuron.degradation.curve import DegradationCurve
from safeneuron.degradation.settings import DegradationSettings


@dataclass(frozen=True)
class ComparedCurves:
    """The curves of a first and a second model under the same settings.

    Parameters
    ----------
    settings : DegradationSettings
        Of both.
    curves : tuple of (DegradationCurve or None)
        The first model's and the second's; None where it has not been measured.
    """

    settings: DegradationSettings
    curves: tuple[DegradationCurve | None, DegradationCurve | None]

    @property
    def whole(self) -> bool:
        """Whether every point of both is measured."""
        return all(curve is not None and curve.finished for curve in self.curves)


def compared_curves(curves: Sequence[DegradationCurve], first: str, second: str) -> ComparedCurves:
    """Return the curves of two models to draw over each other.

    Of all settings those of which most is measured: both curves before one; then the newest. Where neither model has a
    curve, those of the quick one.

    Parameters
    ----------
    curves : sequence of DegradationCurve
        The newest first. Those that remove only the neurons of one set are passed over: the other model's set is
        another.
    first, second : str
        Fingerprints.
    """
    found: dict[DegradationSettings, list[DegradationCurve | None]] = {}
    for curve in curves:
        if curve.model in (first, second) and curve.points and not curve.among:
            pair = found.setdefault(curve.settings, [None, None])
            place = (first, second).index(curve.model)
            pair[place] = pair[place] or curve
    if not found:
        return ComparedCurves(DegradationSettings.quick(), (None, None))
    # Of equals, max takes the first, which is the newest.
    settings = max(found, key=lambda settings: sum(curve is not None for curve in found[settings]))
    return ComparedCurves(settings, tuple(found[settings]))
