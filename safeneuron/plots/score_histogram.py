"""How a score is spread over all neurons, with its threshold as a line that can be dragged."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.threshold_steps import threshold_words

BINS = 120
HEIGHT = 260


def score_histogram(
    values: np.ndarray,
    name: str,
    unit: str,
    model: str,
    *,
    threshold: float | None = None,
    difference_to: str | None = None,
) -> Figure:
    """Draw how many neurons have which score, in bins of equal width.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    name, unit : str
        Of the score.
    model : str
        Title of the model.
    threshold : float, optional
        The score's τ; the neurons above it are drawn in the colour of the score's set.
    difference_to : str, optional
        What was subtracted, in words; a difference has no threshold.
    """
    threshold = None if difference_to is not None else threshold
    counts, edges = np.histogram(values, BINS)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "neurons": counts})
    bars = [_bars(frame, "neurons", palette.OUTLINE, "all")]
    minus = f" minus {difference_to}" if difference_to else ""
    title = f"Spread of {name} over {values.size:,} neurons"
    about = (
        f"How many neurons have which {name} ({unit}) in {model}{minus}, in {BINS} bins of equal width. The "
        "count's axis is logarithmic, or the few neurons far out could not be seen beside the many near zero."
    )
    if threshold is not None:
        above, count = values > threshold, int(np.count_nonzero(values > threshold))
        frame = frame.assign(above=np.histogram(values[above], edges)[0])
        bars.append(_bars(frame, "above", palette.condition_colour(name), "above τ"))
        title = f"{count:,} of {values.size:,} neurons have {name} above τ = {threshold_words(threshold)}"
        about += " The coloured ones are above the threshold τ, the line; drag the line to move the threshold."
    return Figure(
        name=f"histogram-{name}",
        title=title,
        about=about,
        caveat="Where the threshold should be does not follow from the spread: it is a choice, not a significance "
        "level.",
        plotly=go.Figure(bars, layout=_layout(f"{name}, {unit}", values, threshold)),
        data=frame,
    )


def _bars(frame: pd.DataFrame, column: str, colour: str, name: str) -> go.Bar:
    # Bins without neurons have no bar: a logarithm of zero could not be drawn.
    shown = frame[frame[column] > 0]
    return go.Bar(
        x=((shown["from"] + shown["to"]) / 2).to_numpy(np.float32),
        y=shown[column].to_numpy(np.uint32),
        width=float(frame["to"].iloc[0] - frame["from"].iloc[0]),
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        hovertemplate="%{x:.2f}: %{y:,} neurons<extra>%{fullData.name}</extra>",
    )


def _layout(title: str, values: np.ndarray, threshold: float | None) -> go.Layout:
    low, high = float(values.min()), float(values.max())
    settings = {}
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
        line = {"color": palette.CONDITIONS["FULL"], "width": 3, "dash": "solid"}
        settings = {
            "shapes": [
                {"type": "line", "x0": threshold, "x1": threshold, "y0": 0, "y1": 1, "yref": "paper", "line": line}
            ],
            "annotations": [
                {
                    "text": f"<b>τ {threshold_words(threshold)}</b>",
                    "x": threshold,
                    "y": 1,
                    "yref": "paper",
                    "showarrow": False,
                }
                | {"xanchor": "left", "yanchor": "top", "xshift": 5}
            ],
        }
    room = 0.03 * (high - low) or 1.0
    return layout(
        HEIGHT,
        barmode="overlay",
        bargap=0,
        showlegend=False,
        # A drag moves the line, never the axes.
        dragmode=False,
        xaxis={"title": title, "range": [low - room, high + room], "fixedrange": True, "zeroline": False},
        yaxis={"title": "neurons", "type": "log", "fixedrange": True, "dtick": 1},
        **settings,
    )
