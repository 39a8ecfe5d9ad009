"""One neuron's mean activation by category of harm, beside that on the safe twins."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from safeneuron.neuron_card.categories import CategoryMeans
from safeneuron.plots import palette
from safeneuron.plots.activation_distributions import HEIGHT
from safeneuron.plots.figure import Figure, layout

ROW_HEIGHT = 24
KINDS = {"harmful": ("harmful prompts", "circle", 0.12), "twin": ("their safe twins", "diamond", -0.12)}
"""Of each kind its name, its mark, and how far above the middle of the row it stands."""


def activation_by_category(neuron: str, means: Sequence[CategoryMeans]) -> Figure:
    """Draw each category's mean activation with its interval, the highest on top."""
    ordered = sorted(means, key=lambda one: one.harmful.value)
    labels = [one.category.replace("_", " ") for one in ordered]
    figure = go.Figure(
        [_points(kind, ordered) for kind in KINDS],
        layout=layout(
            max(HEIGHT, 90 + ROW_HEIGHT * len(ordered)),
            margin={"l": 12, "r": 12, "t": 34, "b": 48},
            xaxis={"title": "mean activation", "zeroline": True, "zerolinewidth": 2, "zerolinecolor": "#888888"},
            yaxis={
                "tickvals": list(range(len(labels))),
                "ticktext": labels,
                "range": [-0.6, len(labels) - 0.4],
                "automargin": True,
                "showgrid": False,
            },
        ),
    )
    return Figure(
        name=f"neuron-{neuron.replace(':', '-')}-categories",
        title=f"Mean activation by category of harm (n = {_counts(ordered)})",
        about="The neuron's mean activation on the built-in harmful prompts of each category, and on their safe twins, "
        "which share their words and deserve an answer. Lines are 95 % intervals (Student's t). Where both marks of "
        "a row lie together, the neuron answers to the words; where they lie apart, to the harm.",
        caveat="Ten categories are many comparisons, and the categories are those of the built-in prompts alone. A "
        "twin may differ from its prompt in more than the harm.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"category": one.category, "kind": kind, "mean": mean.value, "low": mean.low, "high": mean.high}
                | {"n": mean.n}
                for one in ordered
                for kind, mean in (("harmful", one.harmful), ("twin", one.twin))
            ]
        ),
    )


def _counts(means: Sequence[CategoryMeans]) -> str:
    counts = sorted({mean.n for one in means for mean in (one.harmful, one.twin)})
    return f"{counts[0]} each" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _points(kind: str, means: Sequence[CategoryMeans]) -> go.Scatter:
    name, symbol, offset = KINDS[kind]
    found = [getattr(one, kind) for one in means]
    return go.Scatter(
        x=[mean.value for mean in found],
        y=[row + offset for row in range(len(found))],
        mode="markers",
        name=name,
        marker={
            "color": palette.KINDS[kind],
            "symbol": symbol,
            "size": 9,
            "line": {"color": palette.OUTLINE, "width": 1},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [mean.high - mean.value for mean in found],
            "arrayminus": [mean.value - mean.low for mean in found],
            "color": palette.KINDS[kind],
            "thickness": 2,
            "width": 4,
        },
        customdata=[[mean.low, mean.high, mean.n] for mean in found],
        hovertemplate="%{x:.2f}<br>95 % interval %{customdata[0]:.2f} to %{customdata[1]:.2f}, n = %{customdata[2]}",
    )
