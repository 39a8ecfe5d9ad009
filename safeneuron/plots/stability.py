"""Whether other prompts would give the same safety neurons, and how many prompts one needs."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.neurons import NeuronSet
from safeneuron.overlap.stability import DRAWS, PAIRS, SURE, Stability
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

EACH_OTHER, ALL = palette.CONDITIONS["FULL"], palette.CONDITIONS["ES"]


def prompts_needed(found: Stability, chance: float) -> Figure:
    """Draw the agreement of safety neurons against the number of prompts that they are found with.

    Parameters
    ----------
    chance : float
        Jaccard index of two random sets with as many neurons in each layer as FULL.
    """
    lines = [
        *_line(found.sizes, found.with_each_other, "two draws of other prompts", EACH_OTHER, "solid"),
        *_line(found.sizes, found.with_all, "a draw and all prompts", ALL, "dash"),
        go.Scatter(
            x=found.sizes,
            y=np.full(len(found.sizes), chance),
            mode="lines",
            name="chance",
            line={"color": palette.OUTLINE, "width": 1.5, "dash": "dot"},
            hovertemplate="%{y:.4f}",
        ),
    ]
    figure = go.Figure(
        lines,
        layout=layout(
            380,
            hovermode="x unified",
            xaxis={
                "title": "prompts of each class",
                "type": "log",
                "tickvals": found.sizes,
                "ticktext": [f"{size}" for size in found.sizes],
            },
            yaxis={"title": "Jaccard index", "range": [0, 1.02]},
        ),
    )
    columns = {"prompts_of_each_class": found.sizes, "by_chance": chance}
    for name, rows in (("with_each_other", found.with_each_other), ("with_all", found.with_all)):
        columns |= {f"{name}_mean": rows.mean(axis=1), f"{name}_deviation": rows.std(axis=1)}
    return Figure(
        name="prompts-needed",
        title="How many prompts do I need?",
        about=f"FULL found with so many harmful and as many benign prompts, drawn at random {PAIRS} times: how far it "
        "agrees with FULL from as many other prompts (solid), and with FULL from all prompts (dashed), by the Jaccard "
        "index; shades are one standard deviation. Dotted: random sets with as many neurons in each layer. Where the "
        "solid line has flattened, more prompts would change little.",
        caveat="Draws are from these prompts: others of another style may give other neurons. The dashed line "
        "rises by itself, since its draws are a part of all prompts; the solid one ends at half of them, since two "
        "draws must not share any. Stricter thresholds leave fewer neurons, each of which counts for more.",
        plotly=figure,
        data=pd.DataFrame(columns),
    )


def membership(found: Stability, chosen: NeuronSet) -> Figure:
    """Draw how sure each neuron of a set is: in which share of the bootstrap draws it is found again."""
    shares = 100 * found.found_again(chosen)
    edges = np.linspace(0, 100, 21)
    counts, _ = np.histogram(shares, edges)
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            marker={
                "color": [EACH_OTHER if edge >= 100 * SURE else palette.CONDITIONS["RANDOM"] for edge in edges[:-1]],
                "line": {"color": palette.OUTLINE, "width": 1},
            },
            hovertemplate="in %{customdata[0]:.0f} to %{customdata[1]:.0f} % of the draws: %{y} neurons<extra></extra>",
        ),
        layout=layout(
            380,
            bargap=0.05,
            xaxis={"title": "share of the draws that find the neuron, %", "range": [0, 100]},
            yaxis={"title": f"neurons of {chosen.name}", "rangemode": "tozero"},
        ),
    )
    cells = sorted(chosen.neurons)
    return Figure(
        name="membership",
        title=f"How sure is each of the {len(chosen):,} neurons of {chosen.name}?",
        about=f"All prompts of each class are drawn anew with replacement, {DRAWS} times (bootstrap), and FULL is "
        f"found each time: in which share of the draws each neuron of {chosen.name} is found again. In red those "
        f"found in at least {SURE:.0%} of them.",
        caveat="It says how much the choice of prompts matters, not whether a neuron matters for refusing. Many "
        "neurons lie near the threshold, and come and go with any change.",
        plotly=figure,
        data=pd.DataFrame(
            {
                "layer": [layer for layer, _ in cells],
                "index": [index for _, index in cells],
                "share_of_draws": shares / 100,
            }
        ),
    )


def _line(sizes: np.ndarray, rows: np.ndarray, name: str, colour: str, dash: str) -> list[go.Scatter]:
    known = ~np.isnan(rows).any(axis=1)
    at, mean, spread = sizes[known], rows[known].mean(axis=1), rows[known].std(axis=1)
    return [
        go.Scatter(
            x=np.concatenate([at, at[::-1]]),
            y=np.concatenate([mean + spread, (mean - spread)[::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=colour,
            opacity=0.2,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        ),
        go.Scatter(
            x=at,
            y=mean,
            customdata=spread,
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{y:.2f} ± %{customdata:.2f}",
        ),
    ]
