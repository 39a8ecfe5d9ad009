"""The share of safety neurons by normalised depth, a row per model or run (the paper's Fig. 4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.depth import DepthProfile
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_cells import ANYWHERE, answering

ROW = 44
LONGEST = 34
"""Characters of a title that have room beside the rows."""


def depth_rows(profiles: Sequence[DepthProfile], marked: int | None = None) -> Figure:
    """Draw one row of cells per model, a cell a layer; models may differ in their number of layers.

    Parameters
    ----------
    marked : int, optional
        A layer of the first model, framed in the rows of all models with as many layers.
    """
    highest = max(float(100 * profile.shares.max()) for profile in profiles) or 1.0
    figure = go.Figure(
        [
            go.Heatmap(
                x=profile.edges,
                y=[place - 0.45, place + 0.45],
                z=100 * profile.shares[None, :],
                coloraxis="coloraxis",
                hoverinfo="skip",
            )
            for place, profile in enumerate(profiles)
        ]
        + [
            answering(
                _middles(profile),
                np.full(len(profile.shares), place),
                np.stack([np.arange(len(profile.shares)), profile.counts, 100 * profile.shares], axis=1),
                "layer %{customdata[0]}, depth %{x:.2f}: %{customdata[1]:,} neurons, %{customdata[2]:.2f} %"
                f"<extra>{profile.title}</extra>",
            )
            for place, profile in enumerate(profiles)
        ],
        layout=layout(
            182 + ROW * len(profiles),
            # Room for the tool bar, which would cover the last layers.
            margin={"l": 56, "r": 12, "t": 44, "b": 48},
            **ANYWHERE,
            shapes=_framed(profiles, marked),
            coloraxis={
                "colorscale": palette.SCORE_SCALE,
                "cmin": 0,
                "cmax": highest,
                # Above the bar, which is short where there are few rows.
                "colorbar": {"title": {"text": "% of layer"}, "thickness": 12, "outlinewidth": 0, "nticks": 3},
            },
            xaxis={"title": "depth: 0 is the first layer, 1 the last", "range": [0, 1], "showgrid": False},
            yaxis={
                "tickvals": list(range(len(profiles))),
                "ticktext": [short(profile.title) for profile in profiles],
                "range": [len(profiles) - 0.5, -0.5],
                "showgrid": False,
                "zeroline": False,
                "automargin": True,
            },
        ),
    )
    frames = [
        pd.DataFrame(
            {
                "model": profile.title,
                "layer": range(len(profile.shares)),
                "depth": _middles(profile),
                "neurons": profile.counts,
                "share": profile.shares,
            }
        )
        for profile in profiles
    ]
    return Figure(
        name="share-by-depth",
        title="Where the safety neurons lie, from the first layer to the last",
        about="Each row is a model or a run, each cell a layer: the share of its neurons that are in FULL under the "
        "thresholds as they stand. The paper's Fig. 4, on one axis for models of any number of layers.",
        caveat="The same thresholds are used for all rows, and shares move with them; the thresholds of one model "
        "may be strict for another. Only models whose neurons have been scored have a row.",
        plotly=figure,
        data=pd.concat(frames, ignore_index=True),
    )


def _middles(profile: DepthProfile) -> np.ndarray:
    return (profile.edges[:-1] + profile.edges[1:]) / 2


def _framed(profiles: Sequence[DepthProfile], layer: int | None) -> list[dict[str, Any]]:
    if layer is None:
        return []
    edges = profiles[0].edges
    frame = {"type": "rect", "x0": edges[layer], "x1": edges[layer + 1], "line": {"color": palette.CHOSEN}}
    # A layer of a model of another depth is another one.
    same = (place for place, profile in enumerate(profiles) if len(profile.edges) == len(edges))
    return [frame | {"y0": place - 0.45, "y1": place + 0.45} for place in same]


def short(title: str) -> str:
    """Return as much of a title as has room beside the rows."""
    return title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…"
