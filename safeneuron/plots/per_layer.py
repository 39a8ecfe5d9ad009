"""Safety neurons per layer, drawn beside the neuron map with the same rows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.neurons import NeuronSet
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.neuron_map import HEIGHT, MARGINS


def per_layer(sets: Mapping[str, NeuronSet]) -> Figure:
    """Draw the number of neurons in each layer, a line per set; all sets are of one model."""
    counts = {name: found.per_layer() for name, found in sets.items()}
    layers = len(next(iter(counts.values())))
    figure = go.Figure(
        layout=layout(
            HEIGHT,
            margin=MARGINS | {"l": 36},
            xaxis={"title": "neurons", "rangemode": "tozero"},
            yaxis={"title": None, "range": [-0.5, layers - 0.5], "zeroline": False},
            # Below, where it covers no row and moves none out of line with the map.
            legend={"orientation": "h", "x": -0.15, "y": -0.125, "yanchor": "top"},
            hovermode="y unified",
        )
    )
    # FULL first and widest, so that the sets it is the union of stay visible on it.
    for name in sorted(counts, key=lambda name: name != "FULL"):
        figure.add_trace(
            go.Scatter(
                x=counts[name],
                y=list(range(layers)),
                name=name,
                mode="lines+markers",
                line={"color": palette.condition_colour(name), "width": 5 if name == "FULL" else 2},
                marker={"size": 4},
                opacity=0.55 if name == "FULL" else 1.0,
                hovertemplate="%{x}",
            )
        )
    return Figure(
        name="neurons-per-layer",
        title="Safety neurons per layer",
        about="How many neurons of each layer are above the thresholds: ES, SAS, and FULL, which is both together. "
        "The rows are those of the map.",
        caveat="A layer with many safety neurons is not thereby more important for refusals, and the counts move "
        "with the thresholds.",
        plotly=figure,
        data=pd.DataFrame({"layer": np.arange(layers)} | counts),
    )
