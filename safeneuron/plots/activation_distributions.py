"""One neuron's activation on harmful and on benign prompts, as two histograms."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

BINS = 32
HEIGHT = 330
"""That of ten categories in the figure beside it."""


def activation_distributions(
    neuron: str,
    harmful: np.ndarray,
    benign: np.ndarray,
    effect_size: float,
    interval: tuple[float, float] | None,
    pooled: str,
) -> Figure:
    """Draw the share of prompts of each class by activation, and both means.

    Parameters
    ----------
    neuron : str
        Such as 15:766.
    harmful, benign : numpy.ndarray
        One activation a prompt, ``[n]``.
    effect_size : float
        Cohen's d.
    interval : (float, float) or None
        Its 95 % interval, where there is one.
    pooled : str
        How one number a prompt was made, in words.
    """
    classes = {"harmful": harmful, "benign": benign}
    edges = np.histogram_bin_edges(np.concatenate([harmful, benign]), BINS)
    shares = {kind: 100 * np.histogram(values, edges)[0] / len(values) for kind, values in classes.items()}
    top = max(float(share.max()) for share in shares.values())
    figure = go.Figure(
        [_bars(kind, len(classes[kind]), shares[kind], edges) for kind in classes],
        layout=layout(
            HEIGHT,
            margin={"l": 56, "r": 12, "t": 34, "b": 48},
            barmode="overlay",
            bargap=0,
            xaxis={"title": f"activation {pooled}", "zeroline": True, "zerolinecolor": "#888888"},
            yaxis={"title": "share of prompts, %", "range": [0, 1.12 * top]},
        ),
    )
    for kind, values in classes.items():
        figure.add_vline(float(values.mean()), line={"color": palette.KINDS[kind], "width": 2, "dash": "dash"})
    between = f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return Figure(
        name=f"neuron-{neuron.replace(':', '-')}-activations",
        title=f"Activation of neuron {neuron}: d = {effect_size:.2f}{between}",
        about="How many prompts of each class give the neuron which activation, in shares of the class. Dashed: the "
        "two means. d is the distance between them in pooled standard deviations (Cohen's d), with its 95 % interval "
        "from drawing the prompts again (bootstrap). The less the two overlap, the better this neuron alone "
        "tells harmful from benign prompts.",
        caveat="A neuron that tells the classes apart need not cause refusals: switch it off to see. A neuron that was "
        "chosen for its high d out of thousands will show a lower one on other prompts; the interval does not "
        "allow for that choice.",
        plotly=figure,
        data=_frame(classes),
    )


def _bars(kind: str, count: int, shares: np.ndarray, edges: np.ndarray) -> go.Bar:
    return go.Bar(
        x=((edges[:-1] + edges[1:]) / 2).tolist(),
        y=shares.tolist(),
        width=np.diff(edges).tolist(),
        name=f"{kind} (n = {count:,})",
        marker={"color": palette.KINDS[kind], "line": {"width": 0}},
        opacity=0.7,
        customdata=np.stack([edges[:-1], edges[1:]], axis=1).tolist(),
        hovertemplate="%{customdata[0]:.2f} to %{customdata[1]:.2f}: %{y:.1f} % of prompts",
    )


def _frame(classes: Mapping[str, np.ndarray]) -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame({"kind": kind, "activation": values}) for kind, values in classes.items()], ignore_index=True
    )
