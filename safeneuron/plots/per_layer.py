"""The share of each layer's neurons that are safety neurons, beside the neuron map with the same rows.

The paper's Fig. 4 (SafeNeuron, arXiv 2602.12158) for one model, a bar a layer instead of a colour.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.neurons import NeuronSet
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.neuron_map import HEIGHT, MARGINS

COMPARED = palette.RUNS[0]
"""Colour of the model that is compared with."""


def per_layer(sets: Mapping[str, NeuronSet]) -> Figure:
    """Draw the share of each layer's neurons in a set: a bar of FULL, on it one of each score's set; of one model."""
    names = [name for name in sets if name != "FULL"]
    bars = [_bar("FULL", sets["FULL"], palette.condition_colour("FULL"), (-0.45, 0.9), 0.55)]
    for name, place in zip(names, _places(len(names)), strict=True):
        bars.append(_bar(name, sets[name], palette.condition_colour(name), place))
    return Figure(
        name="neurons-per-layer",
        title="Safety neurons per layer",
        about=f"Which share of each layer's neurons is above the thresholds: by {', by '.join(names)}, and FULL, which "
        "is all of them together (the paper's Fig. 4). The rows are those of the whole map.",
        caveat=_CAVEAT,
        plotly=_figure(bars, sets["FULL"].shape[0]),
        data=_frame(sets),
    )


def per_layer_compared(model: str, found: NeuronSet, other: str, compared: NeuronSet) -> Figure:
    """Draw the share of safety neurons (FULL) in each layer of two models, a bar of each.

    Parameters
    ----------
    model, other : str
        Titles.
    found, compared : NeuronSet
        FULL of each, under the same thresholds.
    """
    places = _places(2)
    bars = [
        # Titles of models are longer than the narrow figure is wide.
        _bar("this", found, palette.condition_colour("FULL"), places[1]),
        _bar("other", compared, COMPARED, places[0]),
    ]
    return Figure(
        name="neurons-per-layer-compared",
        # One line beside the map, or the rows would stand lower than the map's.
        title="FULL per layer, both models",
        about="Which share of each layer's neurons is above the thresholds by any score, in this model, "
        f"{model}, and in the one that it is compared with, {other}. The rows are those of the whole map.",
        caveat=f"{_CAVEAT} Two models with the same share in a layer need not have the same neurons there.",
        plotly=_figure(bars, found.shape[0]),
        data=_frame({model: found, other: compared}),
    )


_CAVEAT = (
    "A layer with many safety neurons is not thereby more important for refusals, and the shares move with the "
    "thresholds."
)


def _places(count: int) -> list[tuple[float, float]]:
    """Return where in a row, from its middle, each of so many bars starts, and how thick it is; the first lowest."""
    thick = 0.8 / count
    return [(-0.4 + number * thick, thick) for number in range(count)]


def _bar(name: str, found: NeuronSet, colour: str, place: tuple[float, float], opacity: float = 1.0) -> go.Bar:
    offset, width = place
    counts = np.array(found.per_layer())
    width_of_layer = found.shape[1]
    return go.Bar(
        x=100 * counts / width_of_layer,
        y=list(range(len(counts))),
        customdata=counts,
        orientation="h",
        offset=offset,
        width=width,
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        opacity=opacity,
        hovertemplate=f"%{{customdata:,}} of {width_of_layer:,} (%{{x:.2f}} %)",
    )


def _figure(bars: list[go.Bar], layers: int) -> go.Figure:
    return go.Figure(
        bars,
        layout=layout(
            HEIGHT,
            # The map's, and nothing may widen them: rows would move out of line with the map's.
            margin=MARGINS | {"autoexpand": False},
            barmode="overlay",
            bargap=0,
            xaxis={"title": "share of the layer, %", "rangemode": "tozero", "automargin": False},
            yaxis={"title": "layer", "range": [-0.5, layers - 0.5], "zeroline": False, "automargin": False},
            showlegend=False,
            hovermode="y unified",
            annotations=[_key(bars)],
        ),
    )


def _key(bars: list[go.Bar]) -> dict[str, Any]:
    """Return the legend as one line of text: Plotly's own is wider than the figure beside the map, and cut there."""
    squares = (f'<span style="color:{bar.marker.color};opacity:{bar.opacity}">\u25a0</span> {bar.name}' for bar in bars)
    return {
        "text": "  ".join(squares),
        "showarrow": False,
        "xref": "paper",
        "x": 0.0,
        "xanchor": "left",
        "yref": "paper",
        "y": -0.13,
        "yanchor": "top",
    }


def _frame(sets: Mapping[str, NeuronSet]) -> pd.DataFrame:
    counts = {name: np.array(found.per_layer()) for name, found in sets.items()}
    shares = {f"{name}, share": counts[name] / found.shape[1] for name, found in sets.items()}
    layers = len(next(iter(counts.values())))
    return pd.DataFrame({"layer": np.arange(layers)} | counts | shares)
