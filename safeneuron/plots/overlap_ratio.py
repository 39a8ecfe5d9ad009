"""The overlap ratio of K categories, K = 2 to all (the paper's Fig. 5)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.combinations import MOST, OverlapRatio
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

FORMULA_WORDS = {
    "union": "neurons in all K sets, of those in any of them",
    "mean": "neurons in all K sets, as a share of the mean size of a set",
}
OBSERVED, DEALT, CHANCE = palette.CONDITIONS["FULL"], palette.CONDITIONS["ES"], palette.OUTLINE


def overlap_ratio(found: Sequence[OverlapRatio], formula: str, dealt: Sequence[OverlapRatio] = ()) -> Figure:
    """Draw mean and spread of the overlap ratio against the number of categories.

    Parameters
    ----------
    found : sequence of OverlapRatio
    formula : {"union", "mean"}
    dealt : sequence of OverlapRatio, optional
        The same of the prompts dealt out to as many groups at random.
    """
    lines = [*_line(found, "categories of harm", OBSERVED, "solid")]
    if dealt:
        lines += _line(dealt, "the same prompts dealt out at random", DEALT, "dash")
    lines.append(
        go.Scatter(
            x=[one.k for one in found],
            y=[one.chance for one in found],
            # Of two categories there is one point, which a line would not show.
            mode="lines" if len(found) > 1 else "markers",
            name="chance",
            line={"color": CHANCE, "width": 1.5, "dash": "dot"},
            hovertemplate="%{y:.4f}",
        )
    )
    figure = go.Figure(
        lines,
        layout=layout(
            380,
            hovermode="x unified",
            xaxis={"title": "K, how many categories at a time", "dtick": 1, "range": [1.8, found[-1].k + 0.2]},
            yaxis={"title": "overlap ratio", "range": [0, 1.02]},
        ),
    )
    sampled = [one.k for one in found if one.sampled]
    return Figure(
        name=f"overlap-ratio-{formula}",
        title="How much K categories have in common",
        about=f"The overlap ratio: {FORMULA_WORDS[formula]}; its mean over all combinations of K categories, and in "
        "the shade one standard deviation either way. The paper's Fig. 5, which does not print its formula. Dashed: "
        "the harmful prompts dealt out at random into groups of the same sizes, so that nothing but chance in the "
        "draw of prompts sets the groups apart: what no split by category could exceed by much. Dotted: random sets "
        "with as many neurons in each layer."
        + (f" For K from {sampled[0]} to {sampled[-1]} a random sample of {MOST:,} combinations." if sampled else ""),
        caveat="A ratio falls with K whatever the sets are, since one more set can only take neurons away from those "
        "in all. A plateau is a core that all categories share; that it is the cause of refusals is for the Ablation "
        "page to show.",
        plotly=figure,
        data=pd.concat([_frame(found, "categories"), _frame(dealt, "dealt out at random")], ignore_index=True),
    )


def _line(found: Sequence[OverlapRatio], name: str, colour: str, dash: str) -> list[go.Scatter]:
    at = [one.k for one in found]
    mean, spread = (np.array([getattr(one, of) for one in found]) for of in ("mean", "deviation"))
    shade = go.Scatter(
        x=at + at[::-1],
        y=np.concatenate([mean + spread, (mean - spread)[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    line = go.Scatter(
        x=at,
        y=mean,
        customdata=spread,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2, "dash": dash},
        hovertemplate="%{y:.3f} ± %{customdata:.3f}",
    )
    return [shade, line]


def _frame(found: Sequence[OverlapRatio], kind: str) -> pd.DataFrame:
    rows: list[Mapping[str, float]] = [
        {
            "sets": kind,
            "k": one.k,
            "combinations": one.possible,
            "looked_at": len(one.ratios),
            "mean": one.mean,
            "deviation": one.deviation,
            "chance": one.chance,
        }
        for one in found
    ]
    return pd.DataFrame(rows)
