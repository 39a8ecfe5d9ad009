"""The curves of a masked-DPO run: loss, reward margin, accuracy, over the steps."""

from collections.abc import Mapping

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


def training_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], steps: int) -> Figure:
    """Draw the curves side by side.

    Parameters
    ----------
    curves : mapping
        (steps, values) by the names in :data:`CURVES`; those without points stay empty.
    steps : int
        How many steps the run will have, so that the axis stands still while it trains.
    """
    figure = make_subplots(rows=1, cols=len(CURVES), subplot_titles=list(CURVES.values()), horizontal_spacing=0.08)
    rows = []
    for column, (key, colour) in enumerate(zip(CURVES, palette.RUNS, strict=False), start=1):
        at, values = curves.get(key, (np.array([]), np.array([])))
        points = zip(at.tolist(), values.tolist(), strict=True)
        rows += [{"curve": key, "step": step, "value": value} for step, value in points]
        shown = 100 * values if key.endswith("accuracies") else values
        figure.add_trace(
            go.Scatter(
                x=at,
                y=shown,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 5},
                name=key,
                hovertemplate="step %{x}: %{y:.3f}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    figure.update_layout(layout(270, showlegend=False, margin={"l": 40, "r": 12, "t": 32, "b": 44}))
    figure.update_xaxes(title="optimiser step", range=[0.5, max(steps, 2) + 0.5])
    figure.update_yaxes(range=[0, 102], row=1, col=3)
    figure.update_annotations(font_size=13)
    return Figure(
        name="training-curves",
        title="Loss, reward margin and accuracy",
        about="After each optimiser step, over that step's pairs: the DPO loss; how much further the preferred "
        "answer has moved above the other than the untouched model has them (the margin, in nats times beta); and the "
        "share of pairs in which it lies above.",
        caveat="These are training pairs. A falling loss does not say that the model refuses more, or that its "
        "refusals survive ablation; the bars on the Robustness page do.",
        plotly=figure,
        data=pd.DataFrame(rows, columns=["curve", "step", "value"]),
    )
