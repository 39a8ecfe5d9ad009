"""Squares of layers: what the representations of every two layers have in common, in several measures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.representation import Representation
from safeneuron.overlap.similarity import MOST
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_cells import ANYWHERE, answering
from safeneuron.plots.layer_mark import cross


@dataclass(frozen=True)
class Measure:
    """One measure of two layers.

    Parameters
    ----------
    name, title : str
        In files and menus, and over the plot.
    unit : str
        Beside the colours.
    attribute : str
        Of :class:`~safeneuron.overlap.representation.Representation`; a dot goes into a part of it.
    limits : (float, float) or None
        Of the colours; None for a scale centred on zero that the largest difference ends.
    about, caveat : str
    axes : (str, str)
        Of columns and rows.
    factor : float
        What values are multiplied by to be in the unit.
    reversed : bool
        Whether a small value means alike.
    """

    name: str
    title: str
    unit: str
    attribute: str
    limits: tuple[float, float] | None
    about: str
    caveat: str
    axes: tuple[str, str] = ("layer", "layer")
    factor: float = 1.0
    reversed: bool = False

    def values(self, found: Representation) -> np.ndarray:
        """Return the measure of every two layers ``[n_layers, n_layers]``, in its unit."""
        value: Any = found
        for part in self.attribute.split("."):
            value = getattr(value, part)
        return self.factor * value


_CKA = (
    "Linear CKA (centred kernel alignment, Kornblith et al. 2019) of the residual stream behind every two layers, at "
    "the last prompt token, over the {kind} prompts: 1 where one layer's picture of the prompts is the other's, "
    "rotated and scaled, 0 where they have nothing in common. By the unbiased estimate, since the plain one is too "
    "high where there are fewer prompts than dimensions. Of more than {most:,} prompts, a random sample of so many."
)
_CKA_CAVEAT = (
    "It compares how prompts lie to each other, whatever the reason: length and topic count as much as harm. A few "
    "coordinates of very large values, which most models have, can decide it."
)

MEASURES = (
    Measure(
        "harmful",
        "Similarity of layers on harmful prompts",
        "CKA",
        "harmful",
        (0.0, 1.0),
        _CKA.format(kind="harmful", most=MOST),
        _CKA_CAVEAT,
    ),
    Measure(
        "benign",
        "Similarity of layers on benign prompts",
        "CKA",
        "benign",
        (0.0, 1.0),
        _CKA.format(kind="benign", most=MOST),
        _CKA_CAVEAT,
    ),
    Measure(
        "difference",
        "Similarity of layers, harmful less benign",
        "difference of CKA",
        "difference",
        None,
        "CKA on harmful prompts less CKA on benign ones. Red: the two layers agree more on harmful prompts than on "
        "benign ones. Blue: less.",
        _CKA_CAVEAT + " The two classes differ in more than harm, and a difference of a few hundredths is within what "
        "other prompts would give.",
    ),
    Measure(
        "cosine",
        "Do the layers share one harmful direction?",
        "cosine",
        "cosines",
        (-1.0, 1.0),
        "The cosine between the layers' directions from the benign to the harmful prompts' mean residual stream (the "
        "refusal direction of Arditi et al. 2024). 1: the two layers tell the classes apart along the same direction. "
        "0: along unrelated ones.",
        "The difference of two means is one direction; what else tells the classes apart is not in it. It includes "
        "what sets the prompts' topics and wording apart.",
    ),
    Measure(
        "angle",
        "How far apart are the layers' difference subspaces?",
        "mean angle, degrees",
        "angle",
        (0.0, 90.0),
        "Of each layer the four main directions in which harmful prompts lie off the benign mean, and the mean of the "
        "principal angles between two layers' (SciPy's subspace_angles). 0: the same subspace. 90: nothing in common. "
        "Two random subspaces would be {chance:.0f} degrees apart here.",
        "Four dimensions are a choice. They hold what varies most among harmful prompts, be it about harm or not.",
        reversed=True,
    ),
    Measure(
        "probe transfer",
        "Does one layer's probe work at another?",
        "balanced accuracy, %",
        "probes.transfer",
        (50.0, 100.0),
        "A linear probe that tells harmful from benign prompts is fitted at one layer (row) and tested at another "
        "(column), on prompts that it has not seen (5-fold cross-validation). 50 % is chance; on the diagonal every "
        "layer's own probe. Each layer's stream is standardised first.",
        "That a probe fails elsewhere does not say that the information is gone: it may lie along another direction, "
        "see the diagonal. That it works does not say that the model uses it.",
        ("tested at layer", "fitted at layer"),
        100.0,
    ),
)


def measure_named(name: str) -> Measure:
    """Return one of :data:`MEASURES`."""
    return next(measure for measure in MEASURES if measure.name == name)


def layer_matrix(found: Representation, measure: Measure, marked: int | None = None) -> Figure:
    """Draw one measure of every two layers."""
    values = measure.values(found)
    layers = np.arange(len(values))
    off = values[~np.eye(len(values), dtype=bool)]
    largest = float(np.nanmax(np.abs(off))) if len(off) and not np.isnan(off).all() else 0.0
    low, high = measure.limits or (-(largest or 1.0), largest or 1.0)
    scale = palette.DIFFERENCE_SCALE if low < 0 else palette.SCORE_SCALE
    heatmap = go.Heatmap(
        z=values,
        x=layers,
        y=layers,
        zmin=low,
        zmax=high,
        colorscale=scale,
        reversescale=measure.reversed,
        hoverinfo="skip",
        colorbar={"title": {"text": measure.unit, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    rows, columns = np.indices(values.shape).reshape(2, -1)
    hover = f"{measure.axes[1]} %{{y}}, {measure.axes[0]} %{{x}}: %{{customdata[0]:.2f}}<extra></extra>"
    plain = {"showgrid": False, "zeroline": False, "range": [-0.5, len(layers) - 0.5]}
    figure = go.Figure(
        [heatmap, answering(columns, rows, values.reshape(-1, 1), hover)],
        layout=layout(
            440,
            **ANYWHERE,
            margin={"l": 56, "r": 12, "t": 44, "b": 48},
            shapes=cross(marked, len(layers)),
            xaxis={"title": measure.axes[0]} | plain,
            yaxis={"title": measure.axes[1]} | plain,
        ),
    )
    by_column = {f"{place}": values[:, place] for place in layers}
    return Figure(
        name=f"layers-{measure.name.replace(' ', '-')}",
        title=measure.title,
        about=measure.about.format(chance=found.chance_angle),
        caveat=measure.caveat,
        plotly=figure,
        data=pd.DataFrame({measure.axes[1]: layers} | by_column),
    )
