"""Cells of a heatmap that answer a click: Streamlit hears none on a heatmap, so unseen points lie on its cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

ANYWHERE = {"hovermode": "closest", "hoverdistance": -1}
"""Settings of a layout in which the pointer always finds the nearest cell, however large that is."""


def answering(x: Sequence[float], y: Sequence[float], told: np.ndarray, hovertemplate: str) -> go.Scatter:
    """Return one unseen point in the middle of each cell, which answers the mouse in place of the heatmap.

    Parameters
    ----------
    x, y : sequence of float
        The cells' middles, one a point.
    told : numpy.ndarray
        ``[points, numbers]``: what the hover tells, its ``customdata``.
    hovertemplate : str
    """
    unseen: dict[str, Any] = {"opacity": 0, "size": 8}
    return go.Scatter(
        x=x, y=y, customdata=told, mode="markers", marker=unseen, showlegend=False, hovertemplate=hovertemplate
    )
