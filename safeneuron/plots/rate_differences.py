"""How far two tables of refusal rates lie apart, condition by condition, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

KINDS = {"": "harmful prompts", "benign_": "benign prompts", "twin_": "safe twins"}
"""Title of each kind of prompt, by what stands before the names of its values in a row."""


def rate_differences(rows: Sequence[Mapping[str, Any]], first: str, second: str) -> Figure:
    """Draw the refusal rates of one table less those of another, in percentage points.

    Parameters
    ----------
    rows : sequence of mapping
        From :func:`safeneuron.comparison.rate_changes`.
    first, second : str
        Names of the two tables; the difference is the first less the second.
    """
    kinds = {prefix: title for prefix, title in KINDS.items() if f"{prefix}difference_points" in rows[0]}
    figure = make_subplots(
        rows=1,
        cols=len(kinds),
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=[f"{title} (n = {rows[0][f'{prefix}n']})" for prefix, title in kinds.items()],
    )
    for column, prefix in enumerate(kinds, start=1):
        figure.add_trace(_points(rows, prefix), row=1, col=column)
        figure.add_trace(_numbers(rows, prefix), row=1, col=column)
    figure.update_layout(layout(326, showlegend=False, margin={"l": 56, "r": 12, "t": 58, "b": 48}))
    figure.update_xaxes(title="neurons switched off", tickfont_size=11)
    ends = [abs(end) for row in rows for prefix in kinds for end in row[f"{prefix}difference_interval"]]
    reach = max(25.0, 1.3 * max(ends))
    figure.update_yaxes(range=[-reach, reach], zeroline=True, zerolinewidth=2, zerolinecolor="#888888")
    figure.update_yaxes(title="difference, percentage points", row=1, col=1)
    figure.update_annotations(font_size=13)
    return Figure(
        name="refusal-differences",
        title=f"Refusal rates: {first} less {second} (judge: {rows[0]['judge']})",
        about=f"For each ablation, the refusal rate of {first} less that of {second} on the same prompts, in "
        "percentage points. Lines are 95 % intervals (Newcombe's hybrid score interval for paired proportions). One "
        "that crosses zero means that these prompts do not tell the two apart. For harmful prompts above zero is "
        "better, for benign ones and safe twins below.",
        caveat="Five ablations on three kinds of prompts are many comparisons: one interval in twenty misses zero "
        "by chance alone. The judge looks for phrases; open the answers below.",
        plotly=figure,
        data=pd.DataFrame([dict(row) for row in rows]),
    )


def _points(rows: Sequence[Mapping[str, Any]], prefix: str) -> go.Scatter:
    points = [row[f"{prefix}difference_points"] for row in rows]
    ends = [row[f"{prefix}difference_interval"] for row in rows]
    return go.Scatter(
        x=[row["condition"] for row in rows],
        y=points,
        mode="markers",
        marker={
            "size": 10,
            "color": [palette.condition_colour(row["condition"]) for row in rows],
            "line": {"color": palette.OUTLINE, "width": 1},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, (_, high) in zip(points, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(points, ends, strict=True)],
            "color": "#888888",
            "thickness": 2,
            "width": 6,
        },
        customdata=ends,
        hovertemplate="%{x}: %{y:+.1f} points<br>95 % interval %{customdata[0]:+.1f} to %{customdata[1]:+.1f}"
        "<extra></extra>",
    )


def _numbers(rows: Sequence[Mapping[str, Any]], prefix: str) -> go.Scatter:
    """Write each difference above its interval, where no line runs through it."""
    return go.Scatter(
        x=[row["condition"] for row in rows],
        y=[row[f"{prefix}difference_interval"][1] for row in rows],
        text=[f"{row[f'{prefix}difference_points']:+.0f}" for row in rows],
        mode="text",
        textposition="top center",
        cliponaxis=False,
        hoverinfo="skip",
    )
