"""Squares of categories: which sets are alike, and where a probe carries over from one to another."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.matrix import JaccardMatrix
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout


def jaccard_heatmap(found: JaccardMatrix) -> Figure:
    """Draw the Jaccard index of every two categories, similar ones side by side."""
    own = np.eye(len(found.names), dtype=bool)
    highest = np.nanmax(np.where(own, 0.0, found.jaccard))
    texts = [["–" if np.isnan(value) else f"{value:.2f}" for value in row] for row in found.jaccard]
    figure = _square(
        found.jaccard,
        found.names,
        texts=np.where(own, [[f"{size:,}"] * len(found.names) for size in np.diag(found.shared)], texts),
        title="Jaccard index",
        axes=("category", "category"),
        # The diagonal is 1, and would leave no colours for the rest.
        limits=(0.0, float(highest) or 1.0),
        details=np.stack([found.shared, found.expected, found.p], axis=2),
        hover="%{y} and %{x}: %{text}<br>%{customdata[0]:.0f} neurons in both<br>by chance %{customdata[1]:.4f}, "
        "p = %{customdata[2]:.1e}<extra></extra>",
    )
    frame = _pairs(found.names, {"jaccard": found.jaccard, "by_chance": found.expected, "p": found.p})
    return Figure(
        name="category-similarity",
        title="Which categories have safety neurons in common",
        about="The Jaccard index of every two categories: the neurons in both sets, of those in either. On the "
        "diagonal the size of each set. Categories stand in the order of a clustering (average linkage), like beside "
        "like. Hover for what random sets of the same sizes in every layer would have, and how likely so many shared "
        "neurons are by chance (layer-matched hypergeometric test).",
        caveat="The categories share their benign prompts, and so part of what their neurons are told by; a tiny p "
        "says that sets have more in common than random ones, not that they are nearly the same. The p-values are not "
        "corrected for the number of pairs.",
        plotly=figure,
        data=frame.assign(neurons_in_both=[int(found.shared[pair]) for pair in _upper(len(found.names))]),
    )


def transfer_heatmap(names: tuple[str, ...], accuracies: np.ndarray, layer: int) -> Figure:
    """Draw how well a probe fitted on one category works on another, at one layer.

    Parameters
    ----------
    accuracies : numpy.ndarray
        ``[n_layers, n_categories, n_categories]``.
    """
    found = accuracies[layer]
    figure = _square(
        100 * found,
        names,
        texts=[[f"{100 * value:.0f}" for value in row] for row in found],
        title="balanced accuracy, %",
        axes=("tested on", "fitted on"),
        limits=(50.0, 100.0),
        details=None,
        hover="fitted on %{y}, tested on %{x}: %{z:.1f} %<extra></extra>",
    )
    return Figure(
        name=f"category-transfer-layer-{layer}",
        title=f"Layer {layer}: a probe for one category of harm, tested on another",
        about="A linear probe is fitted to tell one category's harmful prompts (row) from benign ones, on the "
        "residual stream behind this layer, and tested on another category's (column), all on prompts that it has not "
        "seen. 50 % is chance. Where it carries over, the categories are told from benign prompts along one direction.",
        caveat="Few prompts a category: differences of a few per cent are within what another split would give. What "
        "carries over may be what the benign prompts lack, such as their topic; choose safe twins for a stricter test.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"layer": layer, "fitted_on": one, "tested_on": two, "balanced_accuracy": float(found[row, column])}
                for row, one in enumerate(names)
                for column, two in enumerate(names)
            ]
        ),
    )


def _square(
    values: np.ndarray,
    names: tuple[str, ...],
    texts: Any,
    title: str,
    axes: tuple[str, str],
    limits: tuple[float, float],
    details: np.ndarray | None,
    hover: str,
) -> go.Figure:
    words = [name.replace("_", " ") for name in names]
    heatmap = go.Heatmap(
        z=values,
        x=words,
        y=words,
        text=texts,
        texttemplate="%{text}",
        customdata=details,
        zmin=limits[0],
        zmax=limits[1],
        xgap=1,
        ygap=1,
        colorscale=palette.SCORE_SCALE,
        hovertemplate=hover,
        colorbar={"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    plain = {"showgrid": False, "zeroline": False, "automargin": True}
    return go.Figure(
        heatmap,
        layout=layout(
            206 + 32 * len(words),
            # Room for the tool bar, which would cover the first row.
            margin={"l": 56, "r": 12, "t": 48, "b": 48},
            xaxis={"title": axes[0], "tickangle": -40} | plain,
            yaxis={"title": axes[1], "autorange": "reversed"} | plain,
        ),
    )


def _upper(count: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(count) for column in range(row + 1, count)]


def _pairs(names: tuple[str, ...], matrices: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"first": names[row], "second": names[column]}
            | {title: float(matrix[row, column]) for title, matrix in matrices.items()}
            for row, column in _upper(len(names))
        ]
    )
