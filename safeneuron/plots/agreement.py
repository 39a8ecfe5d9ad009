"""Agreement between scores: a matrix of rank correlations, and the overlap of the tops against their size."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.agreement import Agreement
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

DASHES = ("solid", "dash", "dashdot", "longdash")
"""Given out beside the colours: four and five, so that the first twenty scores all differ."""
CHANCE = palette.OUTLINE


def spearman_matrix(found: Agreement) -> Figure:
    """Draw the rank correlation of every two scores, each number in its cell."""
    names = list(found.names)
    count = len(names)
    texts = [["–" if np.isnan(value) else _short(value) for value in row] for row in found.spearman]
    heatmap = go.Heatmap(
        z=found.spearman,
        x=names,
        y=names,
        text=texts,
        texttemplate="%{text}",
        textfont={"size": 12},
        zmin=-1,
        zmax=1,
        xgap=1,
        ygap=1,
        colorscale=palette.DIFFERENCE_SCALE,
        hovertemplate="%{y} and %{x}: %{text}<extra></extra>",
        # Every cell has its number; what a scale beside them would take, they need themselves in half a page.
        showscale=False,
    )
    figure = go.Figure(
        heatmap,
        layout=layout(
            172 + 44 * count,
            # Room for the tool bar, which would cover the first row.
            margin={"l": 56, "r": 12, "t": 44, "b": 48},
            xaxis={"title": "score", "tickangle": -90, "showgrid": False, "zeroline": False, "automargin": True},
            yaxis={"title": "score", "autorange": "reversed", "showgrid": False, "zeroline": False, "automargin": True},
        ),
    )
    return Figure(
        name="score-agreement",
        title=f"Rank correlation of scores over all {found.neurons:,} neurons",
        about="Spearman's rank correlation of every two scores: 1 where they put all neurons in the same order, 0 "
        "where the orders have nothing in common, -1 where one is the other's reverse; red above 0, blue below. A "
        "dash: one of them is the same for all neurons, and has no order.",
        caveat="Most neurons have little to do with safety, and their order weighs as much here as that of the few at "
        "the top; look at the overlap of the tops too. Scores made of the same numbers, as ES and SAS are, agree for "
        "that reason alone, and agreement does not say that either is right.",
        plotly=figure,
        data=pd.DataFrame(found.spearman, columns=names).assign(score=names).set_index("score").reset_index(),
    )


def top_overlap(found: Agreement, shown: str) -> Figure:
    """Draw how much of one score's top is in the other scores' tops, against the size of the top.

    Parameters
    ----------
    shown : str
        One of the agreement's names.
    """
    row = found.names.index(shown)
    others = [name for name in found.names if name != shown]
    percent = 100 * found.sizes / found.neurons
    traces = [
        go.Scatter(
            x=found.sizes,
            y=found.jaccard[row, found.names.index(name)],
            customdata=percent,
            mode="lines",
            name=name,
            line={"color": _colour(name, found.names), "width": 2, "dash": _dash(name, found.names)},
            hovertemplate="top %{x:,} (%{customdata:.2g} %): %{y:.3f}",
        )
        for name in others
    ]
    chance = go.Scatter(
        x=found.sizes,
        y=found.chance,
        customdata=percent,
        mode="lines",
        name="chance",
        line={"color": CHANCE, "width": 1.5, "dash": "dot"},
        hovertemplate="top %{x:,} (%{customdata:.2g} %): %{y:.3f}",
    )
    figure = go.Figure(
        [*traces, chance],
        layout=layout(
            380,
            margin={"l": 56, "r": 12, "t": 12, "b": 48},
            hovermode="x unified",
            xaxis={"title": "k, the number of top neurons", "type": "log", "dtick": 1, "exponentformat": "none"},
            yaxis={"title": "Jaccard index", "range": [0, 1.02]},
        ),
    )
    frame = {name: found.jaccard[row, found.names.index(name)] for name in others}
    return Figure(
        name="top-overlap",
        title=f"Overlap of the top neurons of {shown} with other scores'",
        about=f"Of the k highest neurons by {shown} and the k highest by another score, the share that is in both "
        "among those in either (Jaccard index): 1 where the two tops are the same. Dotted grey: what two random sets "
        "of k neurons share.",
        caveat="Where a score gives many neurons the same value, as Significance does at its top, which of them come "
        "first is drawn at random, and an overlap within them says little. A small k is a few neurons: one more or "
        "less moves the line far.",
        plotly=figure,
        data=pd.DataFrame({"k": found.sizes} | frame | {"chance": found.chance}),
    )


def _short(value: float) -> str:
    """Return a correlation as narrow as it can be read: .95, -.01, 0 and 1."""
    text = f"{value:z.2f}"
    return str(round(value)) if float(text) in (-1.0, 0.0, 1.0) else text.replace("0.", ".", 1)


def _colour(name: str, names: tuple[str, ...]) -> str:
    """Return a score's colour, the same whichever score is shown."""
    return palette.CONDITIONS.get(name) or palette.run_colour(_place(name, names))


def _dash(name: str, names: tuple[str, ...]) -> str:
    """Return a score's dash, by which lines of like colour are told apart."""
    return "solid" if name in palette.CONDITIONS else DASHES[_place(name, names) % len(DASHES)]


def _place(name: str, names: tuple[str, ...]) -> int:
    return [other for other in names if other not in palette.CONDITIONS].index(name)
