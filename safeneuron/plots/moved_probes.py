"""Whether harm is read from the same layers, along the same directions, after training."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.moved_probes import MovedProbes
from safeneuron.overlap.probes import FOLDS
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_line import layer_line
from safeneuron.plots.layer_mark import band


def probes_by_model(found: MovedProbes, base: str, marked: int | None = None) -> Figure:
    """Draw, per layer, each model's own probe and the base's probe on it, and the base's own.

    Parameters
    ----------
    base : str
        Title of the model that they are compared with.
    """
    layers = np.arange(len(found.base.accuracy))
    told = "%{y:.1f} %"
    lines = [layer_line(f"{base}, its own probe", 100 * found.base.accuracy, 0, "base", told)]
    for place, one in enumerate(found.others, start=1):
        lines.append(layer_line(f"{one.title}, its own probe", 100 * one.own.accuracy, place, "own", told))
        lines.append(layer_line(f"{one.title}, the base's probe", 100 * one.carried_accuracy, place, "other", told))
    lowest = min(float(np.min(line.y)) for line in lines)
    figure = go.Figure(
        lines,
        layout=layout(
            400,
            shapes=band(marked),
            xaxis={"title": "layer", "range": [-0.6, len(layers) - 0.4]},
            yaxis={"title": "balanced accuracy, %", "range": [min(80.0, lowest - 2), 100.8]},
        ),
    )
    frame = {"layer": layers}
    rows = [pd.DataFrame({"model": base, "probe": "own", "balanced_accuracy": found.base.accuracy} | frame)]
    for one in found.others:
        rows.append(pd.DataFrame({"model": one.title, "probe": "own", "balanced_accuracy": one.own.accuracy} | frame))
        rows.append(
            pd.DataFrame({"model": one.title, "probe": "base's", "balanced_accuracy": one.carried_accuracy} | frame)
        )
    return Figure(
        name="moved-probes",
        title="Whether harm is read from the same layers, and along the same directions",
        about="Solid: a linear probe for harmful against benign prompts, fitted and tested in each layer of the model "
        f"({FOLDS}-fold cross-validation, as on Layers). Dashed: the base's probe of that layer, tested on the model, "
        "on prompts that it has not seen; both streams standardised by their own training prompts. Dotted: the base "
        "itself. A dashed line below the solid one: harm is still read there, but along another direction.",
        caveat="A probe reads anything that tells the two classes apart, such as their topics. That it is read as "
        "before does not say that the model acts on it as before: a model that refuses nothing may know harm as well. "
        "The axis does not begin at chance, which is 50 %.",
        plotly=figure,
        data=pd.concat(rows, ignore_index=True),
    )
