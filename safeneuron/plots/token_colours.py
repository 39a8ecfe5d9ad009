"""Colours behind tokens: a diverging scale centred on zero that can be read on a light page as on a dark one."""

from collections.abc import Sequence

import numpy as np

from safeneuron.plots import palette

STRONGEST = 0.5
"""How opaque the end of the scale is; the page's own text stays readable on it."""


def reach(rows: Sequence[Sequence[float]]) -> float:
    """Return the largest magnitude in some rows, the end of the scale; 1 where all are zero."""
    return max((abs(value) for row in rows for value in row), default=0.0) or 1.0


def token_colours(values: Sequence[float], end: float) -> list[str]:
    """Return a CSS colour for each value: red above zero and blue below, the more opaque the farther from it.

    Opacity grows with the square root, so that what stands beside one very strong token is seen too.

    Parameters
    ----------
    end : float
        The magnitude at which the colour is strongest.
    """
    shares = np.sqrt(np.clip(np.abs(np.asarray(values, dtype=np.float64)) / end, 0.0, 1.0))
    sides = (palette.DIFFERENCE_SCALE[-1][1] if value > 0 else palette.DIFFERENCE_SCALE[0][1] for value in values)
    return [f"{side}{round(255 * STRONGEST * share):02x}" for side, share in zip(sides, shares, strict=True)]
