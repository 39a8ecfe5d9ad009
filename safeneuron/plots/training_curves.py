"""The curves of masked-DPO runs: loss, reward margin, accuracy, over the steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

CURVES = {
    "loss": "DPO loss (nats)",
    "rewards/margins": "reward margin (nats)",
    "rewards/accuracies": "pairs in right order (%)",
}
"""The curves drawn, by the name that the trainer logs them under, with title and unit."""


WHOLE_STEPS = 12
"""Up to so many steps, each has a tick of its own."""


@dataclass(frozen=True)
class RunCurves:
    """One run's curves.

    Parameters
    ----------
    name : str
        For the legend.
    number : int
        The run's place among all runs, which gives it its colour.
    curves : mapping
        (steps, values) by the names in :data:`CURVES`; those without points stay empty.
    """

    name: str
    number: int
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]


def training_curves(runs: Sequence[RunCurves], steps: int) -> Figure:
    """Draw the curves side by side, each run in its own colour.

    Parameters
    ----------
    runs : sequence of RunCurves
        The run looked at, and dotted under it those that it is compared with.
    steps : int
        How many steps the longest will have, so that the axis stands still while it trains.
    """
    figure = make_subplots(rows=1, cols=len(CURVES), subplot_titles=list(CURVES.values()), horizontal_spacing=0.08)
    rows = []
    for run in reversed(runs):
        looks = {"color": palette.run_colour(run.number), "width": 2, "dash": "solid" if run is runs[0] else "dot"}
        for column, key in enumerate(CURVES, start=1):
            at, values = run.curves.get(key, (np.array([]), np.array([])))
            points = zip(at.tolist(), values.tolist(), strict=True)
            rows += [{"run": run.name, "curve": key, "step": step, "value": value} for step, value in points]
            trace = go.Scatter(
                x=at,
                y=100 * values if key.endswith("accuracies") else values,
                mode="lines+markers",
                line=looks,
                marker={"size": 5},
                name=run.name,
                legendgroup=run.name,
                legendrank=runs.index(run),
                showlegend=column == 1,
                hovertemplate="step %{x}: %{y:.3f}",
            )
            figure.add_trace(trace, row=1, col=column)
    several = len(runs) > 1
    figure.update_layout(
        layout(
            310 if several else 270,
            showlegend=several,
            margin={"l": 40, "r": 12, "t": 32, "b": 84 if several else 44},
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0},
        )
    )
    figure.update_xaxes(title="optimiser step", range=[0.5, max(steps, 2) + 0.5])
    if steps <= WHOLE_STEPS:
        # Left alone, plotly puts ticks at half steps, which there are none of.
        figure.update_xaxes(tick0=0, dtick=1)
    figure.update_yaxes(range=[0, 102], row=1, col=3)
    figure.update_annotations(font_size=13)
    return Figure(
        name="training-curves",
        title="Loss, reward margin and accuracy",
        about="After each optimiser step, over that step's pairs: the DPO loss; how much further the preferred "
        "answer has moved above the other than the untouched model has them (the margin, in nats times beta); and the "
        "share of pairs in which it lies above." + (" Dotted: the run that it is compared with." if several else ""),
        caveat="These are training pairs. A falling loss does not say that the model refuses more, or that its "
        "refusals survive ablation; the bars on the Robustness page do.",
        plotly=figure,
        data=pd.DataFrame(rows, columns=["run", "curve", "step", "value"]),
    )
