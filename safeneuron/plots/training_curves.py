"""The curves of masked-DPO runs over the steps: loss, reward margin, accuracy; learning rate, speed and memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

Curve = tuple[np.ndarray, np.ndarray]
"""Steps and values."""


@dataclass(frozen=True)
class Panel:
    """One panel: its title with the unit, and the beginnings of the names of the curves that it draws.

    Parameters
    ----------
    title : str
    beginnings : tuple of str
    percent : bool
        Whether the values are shares.
    always : bool
        Whether it is there, empty, before any of its curves has a point.
    """

    title: str
    beginnings: tuple[str, ...]
    percent: bool = False
    always: bool = False

    def draws(self, key: str) -> bool:
        """Tell whether a curve of this name belongs here."""
        return key.startswith(self.beginnings)


PANELS = (
    Panel("DPO loss (nats)", ("loss",), always=True),
    Panel("reward margin (nats)", ("rewards/margins",), always=True),
    Panel("pairs in right order (%)", ("rewards/accuracies",), percent=True, always=True),
    Panel("learning rate", ("learning_rate",)),
    Panel("tokens per second", ("tokens_per_second",)),
    Panel("memory (MB)", ("system/",)),
)
COLUMNS = 3
ROW = 220
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
        (steps, values) by the names that they were logged under.
    """

    name: str
    number: int
    curves: Mapping[str, Curve]


def drawn(keys: Iterable[str]) -> list[str]:
    """Return those of a run's curves that are drawn, by name."""
    return [key for key in keys if any(panel.draws(key) for panel in PANELS)]


def training_curves(runs: Sequence[RunCurves], steps: int) -> Figure:
    """Draw the curves side by side, each run in its own colour.

    Parameters
    ----------
    runs : sequence of RunCurves
        The run looked at, and dotted under it those that it is compared with.
    steps : int
        How many steps the longest will have, so that the axis stands still while it trains.
    """
    logged = {key for run in runs for key in run.curves}
    panels = [panel for panel in PANELS if panel.always or any(map(panel.draws, logged))]
    lines = -(-len(panels) // COLUMNS)
    figure = make_subplots(
        rows=lines,
        cols=COLUMNS,
        subplot_titles=[panel.title for panel in panels],
        horizontal_spacing=0.08,
        vertical_spacing=0.26 / lines,
    )
    for run in reversed(runs):
        for place, panel in enumerate(panels):
            for trace in _traces(run, panel, "solid" if run is runs[0] else "dot"):
                trace.legendrank = runs.index(run)
                figure.add_trace(trace, row=1 + place // COLUMNS, col=1 + place % COLUMNS)
    several = len(runs) > 1
    named: set[str] = set()
    for trace in figure.data:
        # One entry for a run, however many panels it is drawn in.
        trace.showlegend = several and trace.name not in named
        named.add(trace.name)
    # Room for the tool bar, which would cover the last title.
    above, below = 58, 84 if several else 44
    figure.update_layout(
        layout(
            above + ROW * lines + below,
            showlegend=several,
            margin={"l": 44, "r": 12, "t": above, "b": below},
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0},
        )
    )
    figure.update_xaxes(range=[0.5, max(steps, 2) + 0.5])
    for place in range(max(0, len(panels) - COLUMNS), len(panels)):
        # Below the lowest panel of each column.
        figure.update_xaxes(title="optimiser step", row=1 + place // COLUMNS, col=1 + place % COLUMNS)
    if steps <= WHOLE_STEPS:
        # Left alone, plotly puts ticks at half steps, which there are none of.
        figure.update_xaxes(tick0=0, dtick=1)
    for place, panel in enumerate(panels):
        if panel.percent:
            figure.update_yaxes(range=[0, 104], row=1 + place // COLUMNS, col=1 + place % COLUMNS)
    figure.update_yaxes(exponentformat="power")
    figure.update_annotations(font_size=13)
    return Figure(
        name="training-curves",
        title="Loss, reward margin and accuracy",
        about="After each optimiser step, over that step's pairs: the DPO loss; how much further the preferred "
        "answer has moved above the other than the untouched model has them (the margin, in nats times beta); and the "
        "share of pairs in which it lies above. Below them the learning rate, and how fast and in how much memory the "
        "run trains, where it has logged that."
        + (" Dotted: the run that it is compared with." if len(runs) > 1 else ""),
        caveat="These are training pairs. A falling loss does not say that the model refuses more, or that its "
        "refusals survive ablation; the bars on the Robustness page do.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"run": run.name, "curve": key, "step": step, "value": value}
                for run in reversed(runs)
                for key, points in run.curves.items()
                for step, value in zip(*(found.tolist() for found in points), strict=True)
            ],
            columns=["run", "curve", "step", "value"],
        ),
    )


def _traces(run: RunCurves, panel: Panel, dash: str) -> list[go.Scatter]:
    """Return a run's lines in a panel."""
    colour = palette.run_colour(run.number)
    found = []
    for key, (at, values) in run.curves.items():
        if not panel.draws(key):
            continue
        found.append(
            go.Scatter(
                x=at,
                y=100 * values if panel.percent else values,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 5},
                name=run.name,
                legendgroup=run.name,
                hovertemplate="step %{x}: %{y:.4g}",
            )
        )
    if not found and panel.always:
        # So that the panel has its axes before the first step.
        return [go.Scatter(x=[], y=[], line={"color": colour, "dash": dash}, name=run.name, legendgroup=run.name)]
    return found
