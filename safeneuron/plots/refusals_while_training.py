"""How much is refused under each ablation while a model is trained."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.refusal.rates import rate

BENIGN = "benign"
"""The curve of benign prompts with nothing switched off; the others are of harmful ones."""
DASHES = {"RANDOM": "dash", BENIGN: "dot"}


def refusals_while_training(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], n: int, judge: str, steps: int
) -> Figure:
    """Draw a line per condition over the optimiser steps.

    Parameters
    ----------
    curves : mapping
        (steps, shares from 0 to 1) by ORI, ES, SAS, FULL, RANDOM and :data:`BENIGN`, as far as they were measured.
    n : int
        Prompts behind each share.
    judge : str
    steps : int
        How many steps the run will have, so that the axis stands still while it trains.
    """
    figure = go.Figure(
        layout=layout(
            320,
            margin={"l": 56, "r": 12, "t": 40, "b": 48},
            xaxis={"title": "optimiser step", "range": [-0.02 * steps, 1.02 * steps]},
            yaxis={"title": f"prompts refused, % (n = {n})", "range": [-3, 103], "tick0": 0, "dtick": 20},
        )
    )
    rows = []
    for name, (at, shares) in curves.items():
        intervals = [rate(share, n, judge) for share in shares.tolist()]
        rows += [
            {"condition": name, "step": step, "refused": found.value, "low": found.low, "high": found.high, "n": n}
            for step, found in zip(at.tolist(), intervals, strict=True)
        ]
        colour = palette.KINDS[BENIGN] if name == BENIGN else palette.condition_colour(name)
        figure.add_trace(
            go.Scatter(
                x=at,
                y=100 * shares,
                mode="lines+markers",
                name="benign prompts" if name == BENIGN else name,
                line={"color": colour, "width": 2, "dash": DASHES.get(name, "solid")},
                marker={"size": 6},
                customdata=[[100 * found.low, 100 * found.high] for found in intervals],
                hovertemplate="step %{x}: %{y:.0f} % refused, 95 % interval %{customdata[0]:.0f} to "
                "%{customdata[1]:.0f} %",
            )
        )
    return Figure(
        name="refusals-while-training",
        title=f"Refusals while it trains (n = {n}, judge: {judge})",
        about="After every so many optimiser steps: the share of harmful prompts that the model refuses with no neuron "
        "switched off (ORI), with the parent's ES, SAS and both (FULL), and with as many random neurons as FULL has "
        "(RANDOM); dotted, the share of benign prompts refused with none switched off. Hover a point for its 95 % "
        "interval. Training works where the line of FULL rises and the dotted one stays low.",
        caveat=f"Only {n} prompts of each kind, and judged by whether the first token opens a refusal. The run's "
        "evaluation judges whole answers, to more prompts, and with sets that are found anew on the trained model.",
        plotly=figure,
        data=pd.DataFrame(rows, columns=["condition", "step", "refused", "low", "high", "n"]),
    )
