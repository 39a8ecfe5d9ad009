"""Which layers keep their safety neurons from the base to each of its runs: a row per model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.moved import Moved
from safeneuron.plots import palette
from safeneuron.plots.depth import ROW, short
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_cells import ANYWHERE, answering
from safeneuron.plots.layer_mark import band


def kept_by_layer(found: Sequence[Moved], marked: int | None = None) -> Figure:
    """Draw one row of cells per model: the share of each layer's safety neurons of the base that it keeps."""
    layers = np.arange(len(found[0].kept))
    cells = go.Heatmap(
        x=layers,
        y=list(range(len(found))),
        z=[100 * one.kept for one in found],
        zmin=0,
        zmax=100,
        xgap=1,
        ygap=2,
        colorscale=palette.SCORE_SCALE,
        hoverinfo="skip",
        colorbar={"title": {"text": "% kept", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    points = [
        answering(
            layers,
            np.full(len(layers), place),
            np.stack([_shared(one), one.base.counts, one.own.counts, _chance(one)], axis=1),
            "layer %{x}: %{customdata[0]:.0f} of %{customdata[1]:.0f} kept (by chance %{customdata[3]:.2f}); "
            f"it has %{{customdata[2]:.0f}}<extra>{one.title}</extra>",
        )
        for place, one in enumerate(found)
    ]
    figure = go.Figure(
        [cells, *points],
        layout=layout(
            182 + ROW * len(found),
            # Room for the tool bar, which would cover the last layers.
            margin={"l": 56, "r": 12, "t": 44, "b": 48},
            **ANYWHERE,
            shapes=band(marked),
            xaxis={"title": "layer", "range": [-0.6, len(layers) - 0.4], "showgrid": False},
            yaxis={
                "tickvals": list(range(len(found))),
                "ticktext": [short(one.title) for one in found],
                "range": [len(found) - 0.5, -0.5],
                "showgrid": False,
                "zeroline": False,
                "automargin": True,
            },
        ),
    )
    return Figure(
        name="kept-by-layer",
        title="Which layers keep their safety neurons",
        about="Each row is a model, each cell a layer: the share of the base's safety neurons (FULL) there that are "
        "safety neurons of this model too, under the same thresholds. A gap: the base has none in that layer. Hover "
        "for how many, and how many random sets of these sizes would share.",
        caveat="A safety neuron that is none any more may have fallen just below a threshold. That neurons are the "
        "same ones does not say that they do the same: what they receive may have changed.",
        plotly=figure,
        data=pd.concat(
            [
                pd.DataFrame(
                    {
                        "model": one.title,
                        "layer": layers,
                        "base": one.base.counts,
                        "model_has": one.own.counts,
                        "kept": _shared(one),
                        "kept_share": one.kept,
                        "by_chance": _chance(one),
                    }
                )
                for one in found
            ],
            ignore_index=True,
        ),
    )


def _shared(one: Moved) -> np.ndarray:
    return np.zeros(len(one.kept), dtype=int) if one.overlap is None else one.overlap.shared


def _chance(one: Moved) -> np.ndarray:
    return np.zeros(len(one.kept)) if one.overlap is None else one.overlap.expected
