"""Core, shared and task-specific safety neurons of each layer (the paper's Fig. 3)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.composition import KINDS, Composition
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_mark import band

COLOURS = {"core": "#997700", "shared": "#33bbee", "task-specific": "#bcbcbc"}
MEANINGS = {"core": "in all categories", "shared": "in two or more, not all", "task-specific": "in one only"}


def composition_by_layer(found: Composition, marked: int | None = None) -> Figure:
    """Draw how the safety neurons of each layer divide, as shares of 100 %; a gap where a layer has none."""
    layers = np.arange(len(found.counts))
    totals = found.counts.sum(axis=1)
    bars = [
        go.Bar(
            x=layers,
            y=100 * found.shares[:, column],
            customdata=np.stack([found.counts[:, column], totals], axis=1),
            name=f"{kind}: {MEANINGS[kind]}",
            marker={"color": COLOURS[kind], "line": {"width": 0}},
            hovertemplate="layer %{x}: %{customdata[0]} of %{customdata[1]} (%{y:.0f} %)",
        )
        for column, kind in enumerate(KINDS)
    ]
    figure = go.Figure(
        bars,
        layout=layout(
            360,
            barmode="stack",
            bargap=0.15,
            shapes=band(marked),
            xaxis={"title": "layer", "range": [-0.6, len(layers) - 0.4]},
            yaxis={"title": "share of the layer's safety neurons, %", "range": [0, 100]},
        ),
    )
    return Figure(
        name="core-shared-specific",
        title=f"What {found.categories} categories of harm share, layer by layer",
        about=f"Every neuron that is a safety neuron for at least one of the {found.categories} categories: in the "
        "sets of all of them (core), of two or more (shared), or of one (task-specific). The paper's Fig. 3. A gap: "
        "no category has a neuron in that layer.",
        caveat="All categories are compared with the same benign prompts, so that something in which those differ "
        "from every harmful prompt, such as their topic, makes neurons core too; choose safe twins to take that "
        "away. A layer with three neurons has shares as large as one with fifty: see the counts when you hover. The "
        "more categories, the fewer neurons can be in all.",
        plotly=figure,
        data=pd.DataFrame(
            {"layer": layers}
            | {kind: found.counts[:, column] for column, kind in enumerate(KINDS)}
            | {f"{kind}, share": found.shares[:, column] for column, kind in enumerate(KINDS)}
        ),
    )
