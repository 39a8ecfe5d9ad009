"""How far each layer's representation moved from a model to others: CKA on the same prompts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.moved import Moved
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_line import layer_line
from safeneuron.plots.layer_mark import band

STYLES = {"harmful": "own", "benign": "other"}


def drift_by_layer(found: Sequence[Moved], base: str, marked: int | None = None) -> Figure:
    """Draw the similarity of each layer to the base's, on harmful and on benign prompts, for one model or several.

    Parameters
    ----------
    base : str
        Title of the model that they are compared with.
    """
    layers = np.arange(len(found[0].harmful))
    lines = [
        layer_line(f"{one.title}, {kind}", getattr(one, kind), place, style, "%{y:.3f}")
        for place, one in enumerate(found, start=1)
        for kind, style in STYLES.items()
    ]
    lowest = min(float(np.nanmin([one.harmful, one.benign])) for one in found)
    figure = go.Figure(
        lines,
        layout=layout(
            340,
            shapes=band(marked),
            xaxis={"title": "layer", "range": [-0.6, len(layers) - 0.4]},
            yaxis={"title": "CKA with the base", "range": [min(0.9, lowest - 0.02), 1.005]},
        ),
    )
    return Figure(
        name="drift",
        title="How far each layer's representation moved",
        about=f"Linear CKA with {base}: of the same layer's residual stream on the same prompts, at the last token; "
        "solid on harmful prompts, dashed on benign ones. 1: the layer sees the prompts as before, be it rotated. A "
        "line that falls where the other does not: only those prompts are seen otherwise.",
        caveat="CKA does not notice a rotation, nor a shift that is the same for all prompts of the class; small "
        "changes of the mean, by which refusals may change, can leave it near 1: see the direction's cosine in the "
        "table. The axis does not begin at 0.",
        plotly=figure,
        data=pd.concat(
            [
                pd.DataFrame(
                    {
                        "model": one.title,
                        "layer": layers,
                        "harmful": one.harmful,
                        "benign": one.benign,
                        "direction_cosine": one.turned,
                    }
                )
                for one in found
            ],
            ignore_index=True,
        ),
    )
