"""Whether training moved safety, in one picture: where a model's safety neurons lie, and what refuses without them.

A row is a model: the one before, and the one after each round. On the left its safety neurons layer by layer (the
paper's Fig. 4 as bars), those that the parent had too apart from the new ones; on the right its refusals with nothing,
the parent's safety neurons, its own, and random neurons switched off.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.neurons import NeuronSet
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.refusal.rates import Rate
from safeneuron.training.stages import NOTHING, OWN, PARENTS, RANDOM, Stage

ROW, ABOVE, BELOW = 200, 34, 114
"""Pixels of a row with its heading, and above and below all rows."""
KEPT, NEW = "also in the parent's set", "new"
COLOURS = {KEPT: palette.MEMBERSHIP["kept"], NEW: palette.MEMBERSHIP["joined"]}
OFF = {
    NOTHING: palette.CONDITIONS["ORI"],
    PARENTS: palette.CONDITIONS["FULL"],
    OWN: palette.MEMBERSHIP["joined"],
    RANDOM: palette.CONDITIONS["RANDOM"],
}
"""Colour of the refusals by what is switched off. The model's own set is in the blue of what is new in it."""


def moved(stages: Sequence[Stage], subject: str) -> Figure:
    """Draw the stages of a run below each other.

    Parameters
    ----------
    stages : sequence of Stage
        The parent first; refusals may be missing.
    subject : str
        What the run is called.
    """
    parent = stages[0].found
    return Figure(
        name="safety-moved",
        title=_title(stages),
        about="Each row is a model: the parent, before any training, and the model after each round. Left: the share "
        "of each layer's neurons that are safety neurons (FULL, found on that very model); red are those that are in "
        "the parent's set too, blue those that are new, and the grey line is the parent's profile again. Right: the "
        "share of harmful prompts refused with nothing switched off, with the parent's safety neurons, with the "
        "model's own ones, and with as many random neurons per layer; lines are 95 % Wilson intervals. Where the "
        "second bar stays high, the parent's safety neurons no longer carry the refusals; where the third one does "
        f"too, no set that is found this way does. {_measured(stages)}".strip(),
        caveat="A high second bar over a low third one says that safety sits in few neurons still, only in others. "
        "New safety neurons tell harmful prompts from benign ones; that they carry the refusals shows only in the "
        "third bar. Shares move with the thresholds, which "
        "are the same in all rows. A judge that looks for phrases errs; read the answers on the Robustness page.",
        plotly=_figure(stages, parent, subject),
        data=_frame(stages, parent),
    )


def _title(stages: Sequence[Stage]) -> str:
    """Return the finding in numbers, where it has been measured, so that the title claims nothing by itself."""
    before, after = (stage.refusals.get(PARENTS) for stage in (stages[0], stages[-1]))
    if len(stages) < 2 or before is None or after is None:
        return f"Where the safety neurons lie, and what is refused without them{_sample(stages)}"
    own = stages[-1].refusals.get(OWN)
    # Or a run whose refusals hang on neurons that are merely others would look like one that is robust.
    anew = "" if own is None else f"; its own FULL off: {100 * own.value:.0f} %"
    return (
        f"Refused with the parent's FULL off: {100 * before.value:.0f} % before, {100 * after.value:.0f} % "
        f"after{anew}{_sample(stages)}"
    )


def _sample(stages: Sequence[Stage]) -> str:
    rates = [found for stage in stages for found in stage.refusals.values()]
    return f" (n = {rates[0].n}, judge: {rates[0].judge})" if rates else ""


def _measured(stages: Sequence[Stage]) -> str:
    measured = any(stage.refusals for stage in stages)
    return "" if measured else "The run has not measured any refusals yet."


def _figure(stages: Sequence[Stage], parent: NeuronSet, subject: str) -> go.Figure:
    height = ROW * len(stages) + ABOVE + BELOW
    rows = len(stages)
    figure = make_subplots(
        rows=rows,
        cols=2,
        shared_xaxes="columns",
        column_widths=[0.6, 0.4],
        horizontal_spacing=0.06,
        vertical_spacing=44 / (ROW * rows) if rows > 1 else 0,
    )
    highest = max((100 * max(stage.found.per_layer()) / parent.shape[1] for stage in stages), default=0) or 1.0
    for row, stage in enumerate(stages, start=1):
        for bar in _layers(stage, parent):
            figure.add_trace(bar, row=row, col=1)
        if row > 1:
            figure.add_trace(_profile(parent), row=row, col=1)
        for trace in _refusals(stage.refusals):
            figure.add_trace(trace, row=row, col=2)
        _headings(figure, row, stage, parent)
    seen: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name in (*COLOURS, _PROFILE) and trace.name not in seen
        seen.add(trace.name)
    figure.update_layout(
        layout(
            height,
            barmode="stack",
            bargap=0.15,
            margin={"l": 60, "r": 34, "t": ABOVE, "b": BELOW},
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 30 / height, "x": 0.0},
        )
    )
    figure.update_yaxes(range=[0, 1.08 * highest], title="% of the layer", nticks=4, col=1)
    figure.update_yaxes(range=[len(OFF) - 0.45, -0.45], showticklabels=False, showgrid=False, zeroline=False, col=2)
    figure.update_xaxes(range=[-0.6, parent.shape[0] - 0.4], showgrid=False, col=1)
    figure.update_xaxes(title="layer", row=rows, col=1)
    figure.update_xaxes(range=[0, 108], tick0=0, dtick=25, col=2)
    figure.update_xaxes(title="harmful prompts refused, %", row=rows, col=2)
    # Below the legend, so that a picture that is copied elsewhere still says of which run it is.
    figure.add_annotation(
        {"text": subject, "showarrow": False, "font": {"size": 11, "color": palette.OUTLINE}}
        | {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": 0, "yanchor": "top", "yshift": 18 - BELOW}
    )
    return figure


_PROFILE = "the parent's profile"


def _layers(stage: Stage, parent: NeuronSet) -> list[go.Bar]:
    """Return the two parts of each layer's bar."""
    width = parent.shape[1]
    parts = {KEPT: stage.found & parent, NEW: stage.found - parent}
    return [
        go.Bar(
            x=list(range(parent.shape[0])),
            y=100 * np.array(part.per_layer()) / width,
            customdata=part.per_layer(),
            name=name,
            legendgroup=name,
            marker={"color": COLOURS[name], "line": {"width": 0}},
            hovertemplate=f"layer %{{x}}: %{{customdata:,}} of {width:,} neurons {name} (%{{y:.2f}} %)<extra></extra>",
        )
        for name, part in parts.items()
    ]


def _profile(parent: NeuronSet) -> go.Scatter:
    shares = 100 * np.array(parent.per_layer()) / parent.shape[1]
    return go.Scatter(
        x=np.arange(parent.shape[0] + 1) - 0.5,
        # Once more at the end, or the last layer would have no width.
        y=np.append(shares, shares[-1]),
        mode="lines",
        line={"color": palette.OUTLINE, "width": 1.5, "shape": "hv"},
        name=_PROFILE,
        legendgroup=_PROFILE,
        hoverinfo="skip",
    )


def _refusals(refusals: Mapping[str, Rate]) -> list[go.Bar | go.Scatter]:
    """Return the bars with their intervals, the numbers behind these, and what is switched off above each."""
    if not refusals:
        # Without any trace Plotly leaves the axes out, and what is written between them.
        return [go.Scatter(x=[None], y=[None], hoverinfo="skip", name="")]
    names = [name for name in OFF if name in refusals]
    rates = [refusals[name] for name in names]
    places = [list(OFF).index(name) for name in names]
    values = [100 * rate.value for rate in rates]
    bars = go.Bar(
        x=values,
        y=[place + 0.2 for place in places],
        orientation="h",
        name="refused",
        width=0.44,
        marker={"color": [OFF[name] for name in names], "line": {"color": palette.OUTLINE, "width": 1}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * (rate.high - rate.value) for rate in rates],
            "arrayminus": [100 * (rate.value - rate.low) for rate in rates],
            "color": "#888888",
            "thickness": 2,
            "width": 4,
        },
        text=[f"{name}: {rate}" for name, rate in zip(names, rates, strict=True)],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
    )
    numbers = go.Scatter(
        x=[100 * rate.high for rate in rates],
        y=[place + 0.2 for place in places],
        text=[f" {value:.0f}" for value in values],
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        name="numbers",
    )
    # Above the bars, so that the figure needs no room for them at the side and can be narrow.
    labels = go.Scatter(
        x=[0] * len(names),
        y=[place - 0.2 for place in places],
        text=names,
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
        name="labels",
    )
    return [bars, numbers, labels]


def _headings(figure: go.Figure, row: int, stage: Stage, parent: NeuronSet) -> None:
    """Write above a row what it is, and beside it, where nothing was measured, that."""
    words = f"<b>{stage.title[:1].upper()}{stage.title[1:]}</b>: {len(stage.found):,} safety neurons"
    if row > 1:
        new, gone = len(stage.found.neurons - parent.neurons), len(parent.neurons - stage.found.neurons)
        words += f", {new:,} of them new; {gone:,} of the parent's gone"
    shared = {"showarrow": False, "xref": "x domain", "yref": "y domain", "row": row}
    figure.add_annotation(text=words, x=0, y=1.03, xanchor="left", yanchor="bottom", col=1, **shared)
    if not stage.refusals:
        figure.add_annotation(text="not measured", x=0.5, y=0.5, col=2, **shared)


def _frame(stages: Sequence[Stage], parent: NeuronSet) -> pd.DataFrame:
    """Return a row per model and layer, and one per model and what is switched off."""
    frames = []
    for stage in stages:
        new = np.array((stage.found - parent).per_layer())
        counts = np.array(stage.found.per_layer())
        layers = {"layer": np.arange(len(counts)), "safety neurons": counts, "new": new, "width": parent.shape[1]}
        frames.append(pd.DataFrame({"model": stage.title} | layers))
        rows = [
            {"model": stage.title, "switched off": name, "refused": rate.value, "low": rate.low, "high": rate.high}
            | {"n": rate.n, "judge": rate.judge}
            for name, rate in stage.refusals.items()
        ]
        frames.append(pd.DataFrame(rows))
    return pd.concat(frames, ignore_index=True)
