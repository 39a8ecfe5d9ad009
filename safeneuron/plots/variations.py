"""How far the same safety neurons are found when prompts are read, worded or introduced otherwise."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.variations import KINDS, FoundAgain
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

ROW = 30
COLOURS = dict(zip(KINDS, palette.RUNS, strict=False))
SHADE = "rgba(122,122,122,0.22)"


def agreement_of_variations(
    found: Sequence[FoundAgain], count: int, bootstrap: tuple[float, float] | None = None
) -> Figure:
    """Draw the Jaccard index of each variation's set with FULL, one row each.

    Parameters
    ----------
    count : int
        Neurons of FULL.
    bootstrap : (float, float), optional
        Between which Jaccard indices drawing the prompts anew leaves the set, in 95 % of the draws.
    """
    rows = [f"{one.kind}: {one.name}" for one in found]
    points = [
        go.Scatter(
            x=[one.jaccard for one in found if one.kind == kind],
            y=[row for row, one in zip(rows, found, strict=True) if one.kind == kind],
            customdata=[[one.shared, one.count, one.chance.p] for one in found if one.kind == kind],
            mode="markers",
            name=kind,
            marker={"size": 12, "color": COLOURS[kind]},
            hovertemplate="%{y}: %{x:.2f}; %{customdata[0]:,} shared of %{customdata[1]:,}, p = %{customdata[2]:.1e}"
            "<extra></extra>",
        )
        for kind in KINDS
        if any(one.kind == kind for one in found)
    ]
    chance = go.Scatter(
        x=[one.chance.jaccard for one in found],
        y=rows,
        mode="markers",
        name="by chance",
        marker={"symbol": "line-ns", "size": 12, "line": {"width": 2, "color": palette.OUTLINE}},
        hovertemplate="by chance %{x:.4f}<extra></extra>",
    )
    empty = [row for row, one in zip(rows, found, strict=True) if not one.count]
    figure = go.Figure(
        [*points, chance],
        layout=layout(
            120 + ROW * len(rows),
            shapes=_band(bootstrap),
            annotations=[
                {"x": 0.02, "y": row, "text": "no neuron above the thresholds", "showarrow": False, "xanchor": "left"}
                for row in empty
            ],
            xaxis={"title": f"Jaccard index with the {count:,} neurons of FULL", "range": [-0.02, 1.02]},
            yaxis={
                "categoryorder": "array",
                "categoryarray": rows[::-1],
                "range": [-0.7, len(rows) - 0.3],
                "automargin": True,
            },
        ),
    )
    shade = " The grey stretch: what drawing the same prompts anew leaves, in 95 % of the draws." if bootstrap else ""
    return Figure(
        name="variations",
        title="Does it matter how the prompts are read, worded or introduced?",
        about="FULL found again from the same prompts, with one thing changed: the token that activations are read at, "
        "a frame around every prompt of both classes, or the system prompt. How far it is the same set, by the Jaccard "
        f"index. The small dashes: what random sets with as many neurons in each layer would share.{shade}",
        caveat="A frame is not a paraphrase: the prompt's own words stay, and four frames and three system prompts are "
        "a few of many. The thresholds stay the same, and a variation may move all scores a little, so that neurons "
        "near a threshold come or go. It says nothing about which set is the right one.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {
                    "kind": one.kind,
                    "variation": one.name,
                    "neurons": one.count,
                    "in_both": one.shared,
                    "jaccard": one.jaccard,
                    "by_chance": one.chance.jaccard,
                    "p": one.chance.p,
                }
                for one in found
            ]
        ),
    )


def _band(bootstrap: tuple[float, float] | None) -> list[dict]:
    if bootstrap is None or np.isnan(bootstrap).any():
        return []
    ends = {"x0": bootstrap[0], "x1": bootstrap[1], "y0": 0, "y1": 1}
    return [
        {"type": "rect", "xref": "x", "yref": "paper", "layer": "below", "line": {"width": 0}, "fillcolor": SHADE}
        | ends
    ]
