"""What a figure is made of, and the layout that all of them share."""

from base64 import b64encode
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go


@dataclass(frozen=True)
class Figure:
    """A picture with the words and the numbers that belong to it.

    Parameters
    ----------
    name : str
        Short and fit for a file name; downloads are called after it.
    title : str
        The finding's subject, with n and judge where there are rates.
    about : str
        What it shows and how to read it.
    caveat : str
        What it does not show.
    plotly : plotly.graph_objects.Figure
    data : pandas.DataFrame
        The numbers drawn, for download.
    """

    name: str
    title: str
    about: str
    caveat: str
    plotly: go.Figure
    data: pd.DataFrame


def layout(height: int, **settings) -> go.Layout:
    """Return the shared layout: transparent, so that it sits on a light page as on a dark one."""
    shared = {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"namelength": -1},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a8a8a", "activecolor": "#cc3311"},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0.0},
    }
    return go.Layout(**(shared | settings))


def written_size(array: np.ndarray) -> int:
    """Return how many characters an array takes in a figure's JSON: base64, in which Plotly writes ``/`` as six."""
    text = b64encode(np.ascontiguousarray(array))
    return len(text) + 5 * text.count(b"/") + len('{"dtype":"f4","bdata":"","shape":"100, 10000, 10"},"customdata":')
