"""Which neurons the map draws, and where: every neuron, the strongest of each bin, or the part looked at.

A model of at most :data:`MAX_CELLS` neurons has a cell for each. A larger one has an overview, in which
each cell is a bin of neighbours and stands for its strongest neuron, so that no outlier disappears;
where few enough columns are looked at, those have a cell for each neuron. So have they in a smaller model
ordered by cluster: there a cell carries its neuron and its rank beside all else, for which a map of all
cells has no room.
"""

from dataclasses import dataclass

import numpy as np

from safeneuron.neurons import Neuron
from safeneuron.ordering import Order
from safeneuron.plots.pooling import Pooled, pool

MAX_BINS = 256
"""No more than the map has pixels on a window of 800: browsers leave out cells narrower than a pixel."""
MAX_CELLS = 47_000
OVERVIEW_CELLS = 38_000
"""Fewer, since each also carries which neuron it stands for; both keep the figure below a megabyte."""

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


@dataclass(frozen=True)
class Cells:
    """The cells of a map that can be pointed at, equally wide, side by side.

    Parameters
    ----------
    neurons : numpy.ndarray
        ``[n_layers, columns]``: the neuron that each cell stands for.
    start : int
        Where on the axis the first cell's first neuron stands.
    width : int
        Neurons in a cell; the last of a layer may hold fewer.
    shape : (int, int)
        ``(n_layers, d_mlp)``.
    closer : bool
        Whether a part, looked at closely, has cells of its own though every neuron has one here.
    """

    neurons: np.ndarray
    start: int
    width: int
    shape: tuple[int, int]
    closer: bool = False

    @property
    def middle(self) -> float:
        """Where on the axis the middle of the first cell is."""
        return self.start + (self.width - 1) / 2

    @property
    def all_neurons(self) -> bool:
        """Whether every neuron of the model has a cell."""
        return self.neurons.shape == self.shape

    @property
    def part(self) -> bool:
        """Whether these are the neurons of a part of a model that is too large to draw all."""
        return self.width == 1 and not self.all_neurons

    def suits(self, view: View | None) -> bool:
        """Return whether these are the cells to look at this part with, or others must be drawn."""
        if self.all_neurons and not self.closer:
            return True
        if self.part:
            left, right = self.start - 0.5, self.start + self.neurons.shape[1] - 0.5
            return view is not None and left <= view.neurons[0] and view.neurons[1] <= right
        return view is None or not _few_columns(view, self.shape)

    def inside(self, x: list[float], y: list[float]) -> set[Neuron]:
        """Return the neurons of the cells whose middle lies inside an outline, or on a rectangle's edge.

        Parameters
        ----------
        x, y : list of float
            The corners, on the axes: two opposite ones of a rectangle, or all of any other outline. One without any
            height, which is how Plotly tells of a low one, lies in the layer that it was drawn in.
        """
        if min(y) == max(y):
            x, y = [min(x), max(x)], [y[0] - 0.5, y[0] + 0.5]
        columns = self.middle + self.width * np.arange(self.neurons.shape[1])
        layers = np.arange(self.shape[0])
        if len(x) == 2:
            found = ((columns >= min(x)) & (columns <= max(x)))[None, :] & ((layers >= min(y)) & (layers <= max(y)))[
                :, None
            ]
        else:
            found = _within(columns[None, :], layers[:, None], x, y)
        return {(int(layer), int(self.neurons[layer, column])) for layer, column in np.argwhere(found)}


def first_place(order: Order | None) -> int:
    """Return where an axis begins: at neuron 0, or at the first place of an order."""
    return 0 if order is None else 1


def overview(strength: np.ndarray, order: Order | None, coarser: int = 1) -> Pooled:
    """Return the strongest neuron of each bin of places, by its place; what the colours of a whole map show.

    Parameters
    ----------
    strength : numpy.ndarray
        ``[n_layers, d_mlp]``: what the strongest neuron has most of.
    coarser : int
        How many times as wide the bins are.
    """
    layers, neurons = strength.shape
    bins = MAX_BINS if layers * neurons <= MAX_CELLS else min(MAX_BINS, OVERVIEW_CELLS // layers)
    ordered = strength if order is None else np.take_along_axis(strength, order.neurons, axis=1)
    return pool(ordered, bins, coarser=coarser)


def cells_of(pooled: Pooled, shape: tuple[int, int], order: Order | None, view: View | None) -> Cells:
    """Return the cells that can be pointed at in this view of a map.

    Parameters
    ----------
    pooled : Pooled
        Of :func:`overview`.
    """
    layers, neurons = shape
    small = layers * neurons <= MAX_CELLS
    closer = small and neurons > columns_in_part(shape) and order is not None and order.name == "cluster"
    start, columns = 0, neurons
    if view is not None and _few_columns(view, shape) and (closer or not small):
        start, columns = _first_column(view, shape, first_place(order)), columns_in_part(shape)
    elif not small:
        return bins_of(pooled, shape, order)
    places = np.broadcast_to(np.arange(start, start + columns), (layers, columns))
    found = places if order is None else np.take_along_axis(order.neurons, places, axis=1)
    return Cells(found, start + first_place(order), 1, shape, closer)


def bins_of(pooled: Pooled, shape: tuple[int, int], order: Order | None) -> Cells:
    """Return the bins of a whole map as cells, each of which stands for its strongest neuron."""
    found = pooled.index if order is None else np.take_along_axis(order.neurons, pooled.index, axis=1)
    return Cells(found, first_place(order), pooled.width, shape)


def columns_in_part(shape: tuple[int, int]) -> int:
    """Return how many columns of a large model are drawn neuron by neuron."""
    return min(MAX_BINS, MAX_CELLS // shape[0])


def _few_columns(view: View, shape: tuple[int, int]) -> bool:
    # One less: a view begins anywhere in a column.
    return view.neurons[1] - view.neurons[0] <= columns_in_part(shape) - 1


def _first_column(view: View, shape: tuple[int, int], first: int) -> int:
    """Return the place of the first column to draw, so that the view is in the middle of them."""
    left, right = (end - first for end in view.neurons)
    start = round((left + right + 1 - columns_in_part(shape)) / 2)
    return max(0, min(start, shape[1] - columns_in_part(shape)))


def _within(px: np.ndarray, py: np.ndarray, x: list[float], y: list[float]) -> np.ndarray:
    """Return which points lie inside a polygon: those from which a ray crosses its edges an odd number of times."""
    odd = np.zeros(np.broadcast_shapes(px.shape, py.shape), dtype=bool)
    for x0, y0, x1, y1 in zip(x, y, [*x[1:], x[0]], [*y[1:], y[0]], strict=True):
        if y0 == y1:
            continue
        crossing = x0 + (py - y0) * (x1 - x0) / (y1 - y0)
        odd ^= ((y0 > py) != (y1 > py)) & (px < crossing)
    return odd
