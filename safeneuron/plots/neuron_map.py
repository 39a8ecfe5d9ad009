"""The neuron map: one score of every neuron, layers × neurons, with the set in hand marked.

Browsers leave out heatmap cells narrower than a pixel, so the colours of a whole map are max-pooled: a
bin shows its strongest neuron and no outlier disappears. This overview lies over the exact cells, and so
do its own cells that answer the mouse: a pointer of one pixel means the neuron that is seen there, the one
that is marked or else the strongest (:mod:`safeneuron.plots.map_pointer`). Whoever shows the figure takes
both away once the exact cells are wide enough (:data:`COVER`, :data:`POINTER`); where only a part of a
large model has exact cells, the overview lies below.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.ordering import Order
from safeneuron.plots import palette
from safeneuron.plots.colour_scale import COLOUR_LEVELS, ColourScale, colour_scale
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.map_cells import MAX_BINS, Cells, View, bins_of, cells_of, columns_in_part, first_place, overview
from safeneuron.plots.map_marks import framed, members_marked
from safeneuron.plots.map_pointer import numbers_of, pointed_at
from safeneuron.threshold_steps import threshold_words

COVER = "cover"
"""Plotly's ``meta`` of the overview where it lies over cells that have a pixel each once they are looked at closely."""
POINTER = "pointer"
"""Plotly's ``meta`` of its cells that answer the mouse until then."""
LARGEST = 998_500
"""Characters of JSON that a map may have, less than a megabyte by what a trace's own settings take."""
MAX_MARKERS = 10_000
HEIGHT = 520
MARGINS = {"l": 56, "r": 8, "t": 34, "b": 72}
"""Shared with the counts per layer, so that both have the same rows."""

_AXES = {
    None: "neuron",
    "score": "place in the layer, the highest score first",
    "cluster": "place in the layer, neurons active on the same prompts side by side",
}


@dataclass(frozen=True)
class NeuronMap(Figure):
    """A neuron map, with what can be pointed at on it.

    Parameters
    ----------
    cells : Cells
    """

    cells: Cells


def neuron_map(
    values: np.ndarray,
    name: str,
    unit: str,
    members: NeuronSet,
    model: str,
    *,
    difference_to: str | None = None,
    signed: bool = False,
    threshold: float | None = None,
    lowest: float | None = None,
    means: Mapping[str, np.ndarray] | None = None,
    order: Order | None = None,
    view: View | None = None,
    chosen: Neuron | None = None,
    marked: str = "the set in hand",
) -> NeuronMap:
    """Draw one score of every neuron.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    name, unit : str
        Of the score, or of the difference.
    members : NeuronSet
        The set in hand, or others to mark.
    model : str
        Title of the model, and whatever else sets a result apart from the one beside it.
    difference_to : str, optional
        What was subtracted, in words, empty where the name says it; such a map is signed and has no threshold.
    signed : bool
        Whether the score's sign matters as its size does; then the colours are centred on zero.
    threshold : float, optional
        The score's τ, marked on the colour scale.
    lowest : float, optional
        Where its colours begin, if not at 0.
    means : mapping, optional
        At most two more numbers per neuron that are shown beside the score: label -> ``[n_layers, d_mlp]``.
    order : Order, optional
        How each layer's neurons are ordered; by their index if left out.
    view : View, optional
        The part to show; the whole map if left out. Where a model is too large for a cell per neuron,
        a part of few enough columns has one (:attr:`NeuronMap.cells` says which there are).
    chosen : Neuron, optional
        One neuron to point out.
    marked : str
        What the members are, in words.
    """
    signed = signed or difference_to is not None
    threshold = None if difference_to is not None else threshold
    strength = np.abs(values) if signed else values
    pooled = overview(strength, order)
    # What is marked is meant before what is strongest.
    wanted = strength + members.mask() * (1.0 + np.ptp(strength))
    cells = cells_of(overview(wanted, order), values.shape, order, view)
    shown = pooled.index if order is None else np.take_along_axis(order.neurons, pooled.index, axis=1)
    whole = np.take_along_axis(values, shown, axis=1)
    scale = colour_scale(whole, signed, threshold, lowest)
    numbers = numbers_of(values, strength, name, means or {}, cells)

    first = first_place(order)
    base = _layout(values.shape, view, _AXES[order and order.name], first)
    coarse = _overview(whole, first + (pooled.width - 1) / 2, pooled.width, scale, f"{name}, {unit}", threshold)
    circles, frame = (palette.MEMBER_ON_DIFFERENCE,) * 2 if signed else (palette.MEMBER, palette.CHOSEN)
    marks = [members_marked(members, MAX_MARKERS, order, circles), framed(chosen, order, frame)]

    def pointer(numbers: pd.DataFrame, cells: Cells, *others: go.Heatmap) -> go.Heatmap:
        room = LARGEST - len(go.Figure([coarse, *marks, *others], layout=base).to_json())
        return pointed_at(numbers, name, list(means or {}), cells, order, scale, room)

    if cells.width < pooled.width and not cells.part:
        coarse.meta = COVER
        bins = bins_of(overview(wanted, order, coarser=3), values.shape, order)
        binned = numbers_of(values, strength, name, means or {}, bins)
        # First the few cells that answer for the whole map: there the map is looked at first.
        least = pointed_at(numbers, name, [], cells, order, scale, 0)
        above = pointer(binned, bins, least).update(meta=POINTER, opacity=0)
        exact = pointer(numbers, cells, above)
        heatmaps = [exact, coarse, above]
    else:
        exact = pointer(numbers, cells)
        heatmaps = [coarse, exact] if cells.part else [exact, coarse]
    return NeuronMap(
        name=f"neuron-map-{name}",
        title=_title(name, model, difference_to),
        about=_about(values.shape, name, unit, pooled.width, cells, order, threshold, len(members), marked),
        caveat="A high score says that a neuron behaves differently on harmful prompts than on benign ones. It does "
        "not say that the neuron causes refusals: switch it off to see. The scores depend on the prompts and on "
        "where in the prompt the activations are read.",
        plotly=go.Figure([*heatmaps, *marks], layout=base),
        data=numbers,
        cells=cells,
    )


def reach(cells: Cells) -> str:
    """Say which neurons of a map a click or a box finds."""
    if cells.all_neurons:
        if cells.shape[1] <= MAX_BINS:
            return "Every neuron can be clicked or boxed."
        return (
            "Seen whole, a click takes the neuron that the pointer names: of the few under it the marked one, or else "
            "the strongest. Seen closely, every neuron can be clicked. A box takes all in it."
        )
    if cells.part:
        return "In this part of the map every neuron has a cell and can be clicked or boxed."
    return (
        "Of each cell, its marked neuron or else its strongest can be clicked or boxed; look at a part of fewer than "
        f"{columns_in_part(cells.shape)} neurons across, and every neuron has a cell."
    )


def _title(name: str, model: str, difference_to: str | None) -> str:
    subject = f"{name[:1].upper()}{name[1:]} of every neuron in {model}"
    return f"{subject} minus {difference_to}" if difference_to else subject


def _about(
    shape: tuple[int, int],
    name: str,
    unit: str,
    width: int,
    cells: Cells,
    order: Order | None,
    threshold: float | None,
    members: int,
    marked: str,
) -> str:
    layers, neurons = shape
    sentences = [
        f"Each row is one of {layers} layers, each column one of {neurons:,} MLP neurons of that layer; the colour is "
        f"{name} ({unit})."
    ]
    if width > 1 and not cells.part:
        sentences.append(
            f"Seen whole, a cell's colour is that of the strongest of {width} neighbouring neurons; look at a part of "
            "it, and each neuron has its own."
        )
    if threshold is not None:
        sentences.append(f"On the colour scale, τ = {threshold_words(threshold)} is marked.")
    sentences.append(f"Circles mark {marked}.")
    if members > MAX_MARKERS:
        sentences.append(f"Of the set, {MAX_MARKERS:,} neurons are marked.")
    sentences.append(reach(cells))
    sentences.append(
        {
            None: "Neighbouring columns have nothing to do with each other: a neuron's number has no meaning.",
            "score": "Each layer is ordered by itself, so a column holds different neurons in different layers.",
            "cluster": "Each layer is ordered by itself: neurons that are active on the same prompts stand side by "
            "side. A column holds different neurons in different layers.",
        }[order and order.name]
    )
    return " ".join(sentences)


def _layout(shape: tuple[int, int], view: View | None, title: str, first: int) -> go.Layout:
    layers, neurons = shape
    view = view or View((first - 0.5, first + neurons - 0.5), (-0.5, layers - 0.5), "zoom")
    return layout(
        HEIGHT,
        margin=MARGINS,
        showlegend=False,
        dragmode=view.tool,
        hovermode="closest",
        # By itself, and with "any", Plotly takes a narrow box for one that reaches over the whole map.
        selectdirection="d",
        xaxis=_axis(title, first, neurons, view.neurons),
        yaxis=_axis("layer", 0, layers, view.layers),
    )


def _axis(title: str, first: int, count: int, shown: tuple[float, float]) -> dict:
    ends = {"minallowed": first - 0.5, "maxallowed": first + count - 0.5}
    return (
        ends
        | {"range": shown, "autorangeoptions": ends}
        | {"title": title, "showgrid": False, "zeroline": False, "automargin": False}
        # In full: 20,001 and not 20.001k.
        | {"tickformat": ","}
    )


def _overview(
    values: np.ndarray, x0: float, width: int, scale: ColourScale, title: str, threshold: float | None
) -> go.Heatmap:
    return go.Heatmap(
        z=scale.levels(values),
        x0=x0,
        dx=width,
        zmin=0,
        zmax=COLOUR_LEVELS,
        zsmooth=False,
        hoverinfo="skip",
        colorscale=scale.colours,
        colorbar=scale.bar(title, threshold),
    )
