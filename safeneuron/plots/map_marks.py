"""What is marked on the neuron map: the set in hand, and the one neuron that is looked at."""

import numpy as np
import plotly.graph_objects as go

from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.ordering import Order
from safeneuron.plots.map_cells import first_place


def members_marked(members: NeuronSet, most: int, order: Order | None, colour: str) -> go.Scattergl:
    """Mark a set's neurons with circles, at most so many, the first layers first."""
    kind = np.uint16 if members.shape[1] < 65_535 else np.uint32
    shown = np.array(sorted(members.neurons)[:most], dtype=kind).reshape(-1, 2)
    return go.Scattergl(
        x=_places(shown, order),
        y=shown[:, 0],
        mode="markers",
        marker={"size": 6, "symbol": "circle-open", "color": colour, "line": {"width": 1.5}},
        hoverinfo="skip",
    )


def framed(neuron: Neuron | None, order: Order | None, colour: str) -> go.Scattergl:
    """Frame one neuron; where there is none, a point that is not seen.

    Plotly offers box and lasso only where there is a point to choose, and heatmaps have none.
    """
    at = np.array([neuron or (0, 0)], dtype=np.uint32)
    return go.Scattergl(
        x=_places(at, order),
        y=at[:, 0],
        mode="markers",
        marker={"size": 15, "symbol": "square-open", "color": colour, "line": {"width": 3}}
        | {"opacity": 1.0 if neuron else 0.0},
        hoverinfo="skip",
    )


def _places(neurons: np.ndarray, order: Order | None) -> np.ndarray:
    """Return where on the axis some neurons ``[n, 2]`` stand."""
    if order is None:
        return neurons[:, 1]
    return (order.places()[neurons[:, 0], neurons[:, 1]] + first_place(order)).astype(neurons.dtype)
