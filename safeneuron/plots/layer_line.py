"""One number per layer of one of several models, as a line that looks the same on all plots."""

import numpy as np
import plotly.graph_objects as go

from safeneuron.plots import palette

STYLES = {"base": ("dot", "diamond"), "own": ("solid", "circle"), "other": ("dash", "square")}
"""Dash and marker of the base itself, of what is the model's own, and of what it is set beside."""


def colour_of(place: int) -> str:
    """Return the colour of a model by its place, the base being 0."""
    return palette.run_colour(place - 1) if place else palette.CONDITIONS["ORI"]


def layer_line(name: str, values: np.ndarray, place: int, style: str, told: str) -> go.Scatter:
    """Return the line of values ``[n_layers]``.

    Parameters
    ----------
    place : int
        Of the model; the base is 0.
    style : str
        Of :data:`STYLES`.
    told : str
        How the hover writes a value, such as ``"%{y:.3f}"``.
    """
    dash, symbol = STYLES[style]
    return go.Scatter(
        x=np.arange(len(values)),
        y=values,
        mode="lines+markers",
        name=name,
        line={"color": colour_of(place), "width": 2, "dash": dash},
        marker={"size": 7, "symbol": symbol},
        hovertemplate=f"layer %{{x}}: {told}",
    )
