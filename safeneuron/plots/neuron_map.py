"""The neuron map: one score of every neuron, layers × neurons, with the set in hand marked.

Streamlit does not hear clicks on a heatmap, so a transparent layer of WebGL points lies over it:
their x and y *are* the neuron's index and layer, which needs no further numbers per point. Browsers
draw a heatmap cell narrower than a pixel or leave it out, so the colours are always max-pooled to
at most :data:`MAX_BINS` bins a layer; a bin shows its strongest neuron and no outlier disappears. Up
to :data:`MAX_POINTS` neurons each has its own point; above, each bin has one in its middle, which
carries the bin's strongest neuron.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.neurons import NeuronSet
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.pooling import Pooled, pool

MAX_BINS = 512
MAX_POINTS = 75_000
MAX_MARKERS = 20_000
COLOUR_LEVELS = 255
HEIGHT = 520
MARGINS = {"l": 56, "r": 8, "t": 34, "b": 72}
"""Shared with the counts per layer, so that both have the same rows."""


TOOLS = ("zoom", "pan", "select", "lasso")
"""What a drag on the map can do."""


@dataclass(frozen=True)
class View:
    """What part of the map is looked at.

    Parameters
    ----------
    neurons, layers : (float, float)
        Ends of the two axes.
    tool : str
        Of :data:`TOOLS`.
    """

    neurons: tuple[float, float]
    layers: tuple[float, float]
    tool: str


def neuron_map(
    values: np.ndarray,
    name: str,
    unit: str,
    members: NeuronSet,
    model: str,
    difference_to: str | None = None,
    view: View | None = None,
    threshold: float | None = None,
) -> Figure:
    """Draw one score of every neuron.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    name, unit : str
        Of the score.
    members : NeuronSet
        The set in hand.
    model : str
        Title of the model.
    difference_to : str, optional
        Title of the model whose scores were subtracted; then the scale is centred on zero.
    view : View, optional
        The part to show; the whole map if left out.
    threshold : float, optional
        The score's τ, marked on the colour scale; a difference has none.
    """
    signed = difference_to is not None
    pooled = pool(values, MAX_BINS, by_magnitude=signed)
    figure = go.Figure(layout=_layout(values.shape, view))
    figure.add_trace(_colours(pooled, f"{name}, {unit}", signed, None if signed else threshold))
    points = _points(values, pooled)
    figure.add_trace(_clickable(points, name, pooled, values.shape))
    shown = _members(members)
    figure.add_trace(_markers(shown, palette.MEMBER_ON_DIFFERENCE if signed else palette.MEMBER))
    layers, neurons = values.shape
    pooling = f" A cell shows the strongest of {pooled.width} neighbouring neurons." if pooled.width > 1 else ""
    cut = f" Of the set, {MAX_MARKERS:,} neurons are marked." if len(members) > MAX_MARKERS else ""
    marked = f" On the colour scale, τ = {threshold:.1f} is marked." if threshold is not None and not signed else ""
    subject = f"{name} of every neuron in {model}"
    return Figure(
        name=f"neuron-map-{name}",
        title=f"Change of {subject}, against {difference_to}" if signed else subject,
        about=f"Each row is one of {layers} layers, each column one of {neurons:,} MLP neurons of that layer; the "
        f"colour is {name} ({unit}).{pooling}{marked} Circles mark the set in hand. "
        f"{reach(values.shape)}{cut} Neighbouring columns have nothing to do with each other: a neuron's number has "
        "no meaning.",
        caveat="A high score says that a neuron behaves differently on harmful prompts than on benign ones. It does "
        "not say that the neuron causes refusals: switch it off to see. The scores depend on the prompts and on "
        "where in the prompt the activations are read.",
        plotly=figure,
        data=points,
    )


def reach(shape: tuple[int, int]) -> str:
    """Say which neurons of a map ``(n_layers, d_mlp)`` a click or a box finds."""
    if _all_have_points(shape):
        return "Every neuron can be clicked or boxed."
    return "Of each cell, its strongest neuron can be clicked or boxed."


def _all_have_points(shape: tuple[int, int]) -> bool:
    return shape[0] * shape[1] <= MAX_POINTS


def _layout(shape: tuple[int, int], view: View | None) -> go.Layout:
    layers, neurons = shape
    # Streamlit stops hearing clicks while a drag draws a box; box and lasso are in the tool bar.
    view = view or View((-0.5, neurons - 0.5), (-0.5, layers - 0.5), "zoom")
    return layout(
        HEIGHT,
        margin=MARGINS,
        showlegend=False,
        dragmode=view.tool,
        # The nearest point, however far: zoomed in, a cell is much larger than what plotly calls near.
        hoverdistance=-1,
        xaxis=_axis("neuron", neurons, view.neurons),
        yaxis=_axis("layer", layers, view.layers),
    )


def _axis(title: str, count: int, shown: tuple[float, float]) -> dict:
    ends = {"minallowed": -0.5, "maxallowed": count - 0.5}
    return (
        ends
        | {"range": shown, "autorangeoptions": ends}
        | {"title": title, "showgrid": False, "zeroline": False, "automargin": False}
    )


def _colours(pooled: Pooled, title: str, signed: bool, threshold: float | None) -> go.Heatmap:
    """Draw the bins in 255 levels of one byte each; the tick texts give the values back."""
    low, high = _range(pooled.values, signed, threshold)
    levels = np.clip((pooled.values - low) / (high - low), 0.0, 1.0) * COLOUR_LEVELS
    ticks = _ticks(low, high, threshold)
    return go.Heatmap(
        z=levels.round().astype(np.uint8),
        x0=(pooled.width - 1) / 2,
        dx=pooled.width,
        zmin=0,
        zmax=COLOUR_LEVELS,
        zsmooth=False,
        hoverinfo="skip",
        colorscale=palette.DIFFERENCE_SCALE if signed else palette.SCORE_SCALE,
        colorbar={
            "title": {"text": title, "side": "right"},
            "tickvals": [(tick - low) / (high - low) * COLOUR_LEVELS for tick in ticks],
            "ticktext": list(ticks.values()),
            "ticks": "outside",
            "thickness": 12,
            # Short of the top, where the tool bar is, in two rows on a narrow window.
            "len": 0.9,
            "y": 0.0,
            "yanchor": "bottom",
            "outlinewidth": 0,
        },
    )


def _range(values: np.ndarray, signed: bool, threshold: float | None) -> tuple[float, float]:
    """Return the ends of the colour scale: few extreme neurons must not make all others look alike."""
    top = float(np.quantile(np.abs(values) if signed else values, 0.995))
    # What is above the threshold must differ from what is just below it.
    top = max(round(top, 1), round(1.25 * (threshold or 0.0), 1), 0.1)
    return (-top, top) if signed else (0.0, top)


def _ticks(low: float, high: float, threshold: float | None) -> dict[float, str]:
    """Return what stands beside the colour scale: five values, and the threshold in place of any that it is near."""
    ticks = {float(tick): f"{tick:.1f}" for tick in np.linspace(low, high, 5)}
    ticks[low], ticks[high] = f"≤ {ticks[low]}", f"≥ {ticks[high]}"
    if threshold is None:
        return ticks
    apart = {tick: text for tick, text in ticks.items() if abs(tick - threshold) > 0.06 * (high - low)}
    return apart | {threshold: f"<b>τ {threshold:.1f}</b>"}


def _points(values: np.ndarray, pooled: Pooled) -> pd.DataFrame:
    """Return the neurons that can be clicked, with their values: columns layer, neuron, value."""
    layers, neurons = values.shape
    index = np.tile(np.arange(neurons), (layers, 1)) if _all_have_points(values.shape) else pooled.index
    layer = np.repeat(np.arange(layers), index.shape[1])
    return pd.DataFrame(
        {
            "layer": layer.astype(np.uint8 if layers < 256 else np.uint16),
            "neuron": index.ravel().astype(np.uint16 if neurons < 65_536 else np.uint32),
            "value": np.take_along_axis(values, index, axis=1).ravel().astype(np.float32),
        }
    )


def _clickable(points: pd.DataFrame, name: str, pooled: Pooled, shape: tuple[int, int]) -> go.Scattergl:
    """Draw a point that is not seen in the middle of every cell: the point nearest to the mouse is then its cell's."""
    x, carried, neuron, value = points["neuron"], points["value"], "x", "customdata"
    if not _all_have_points(shape):
        middles = np.arange(pooled.index.shape[1], dtype=np.float32) * pooled.width + (pooled.width - 1) / 2
        x, carried = np.tile(middles, len(pooled.index)), points[["value", "neuron"]].astype(np.float32)
        neuron, value = "customdata[1]", "customdata[0]"
    invisible = {"marker": {"opacity": 0.0}}
    return go.Scattergl(
        x=np.asarray(x),
        y=points["layer"].to_numpy(),
        customdata=carried.to_numpy(),
        mode="markers",
        marker={"opacity": 0.0, "size": 8, "symbol": "square"},
        selected=invisible,
        unselected=invisible,
        hovertemplate=f"layer %{{y}}, neuron %{{{neuron}}}<br>{name} %{{{value}:.2f}}<extra></extra>",
    )


def _members(members: NeuronSet) -> np.ndarray:
    """Return the neurons to mark ``[n, 2]``."""
    return np.array(sorted(members.neurons)[:MAX_MARKERS], dtype=np.uint16).reshape(-1, 2)


def _markers(shown: np.ndarray, colour: str) -> go.Scattergl:
    return go.Scattergl(
        x=shown[:, 1],
        y=shown[:, 0],
        mode="markers",
        marker={"size": 6, "symbol": "circle-open", "color": colour, "line": {"width": 1.5}},
        hoverinfo="skip",
    )
