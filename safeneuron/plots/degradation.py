"""Degradation curves: refusals, and what else goes, against the number of neurons removed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from statistics import fmean

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.degradation.curve import DegradationCurve
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Of the curves in their order, beside their colours, so that they are told apart without these."""
SYMBOLS = {"twin": "diamond-open"}
HARMLESS = {"benign": ", benign", "twin": ", safe twins"}
BAND = "rgba(150,150,150,0.35)"
ROW = 240
"""Pixels of a row of panels."""


@dataclass(frozen=True)
class Panel:
    """One panel: its title, and the columns of :meth:`DegradationCurve.rows` that it draws, by kind of prompt."""

    title: str
    columns: dict[str, str]
    percent: bool = False


RATES = (
    Panel("harmful prompts refused, %", {"harmful": "harmful_refusal_rate"}, percent=True),
    Panel("benign and safe twins refused, %", {"benign": "benign_refusal_rate", "twin": "twin_refusal_rate"}, True),
)
LOG_ODDS = (
    Panel("refusal log-odds, harmful (nats)", {"harmful": "harmful_log_odds"}),
    Panel("refusal log-odds, benign and twins", {"benign": "benign_log_odds", "twin": "twin_log_odds"}),
)
TEXT = (
    Panel("KL on benign text (nats per token)", {"": "kl"}),
    Panel("perplexity of benign text, × ORI", {"": "perplexity_ratio"}),
)


def degradation(curves: Sequence[DegradationCurve]) -> Figure:
    """Draw curves over each other, in panels: refusal rates or log-odds, then KL and perplexity.

    The horizontal axis is log(1 + neurons): it has room for ORI, and the area under the curve is taken on it.
    """
    generated = [curve.settings.generated for curve in curves]
    rows = [*([RATES] if any(generated) else []), *([] if all(generated) else [LOG_ODDS]), TEXT]
    curves = _told_apart(curves)
    titles = [panel.title for row in rows for panel in row]
    figure = make_subplots(rows=len(rows), cols=2, subplot_titles=titles, horizontal_spacing=0.1, vertical_spacing=0.13)
    for number, (curve, dash) in enumerate(zip(curves, cycle(DASHES), strict=False)):
        colour = palette.run_colour(number) if len(curves) > 1 else palette.CONDITIONS["FULL"]
        for row, panels in enumerate(rows, start=1):
            for column, panel in enumerate(panels, start=1):
                for trace in _traces(curve, panel, colour, dash, alone=len(curves) == 1):
                    figure.add_trace(trace, row=row, col=column)
    named: set[str] = set()
    for trace in figure.data:
        # One entry for each thing, however many panels it is drawn in.
        trace.showlegend = bool(trace.name) and trace.name not in named
        named.add(trace.name)
    below = 60 + 22 * len(curves)
    figure.update_layout(
        layout(
            ROW * len(rows) + below,
            margin={"l": 44, "r": 12, "t": 30, "b": below},
            legend={
                "orientation": "h",
                "yref": "container",
                "yanchor": "bottom",
                "y": 0.0,
                "x": 0.0,
                "traceorder": "normal",
            },
        )
    )
    figure.update_xaxes(**_axis(curves))
    figure.update_xaxes(title="neurons removed", row=len(rows))
    figure.update_annotations(font_size=13)
    if any(generated):
        figure.update_yaxes(range=[-4, 104], row=1)
    return Figure(
        name="degradation",
        title=_title(curves),
        about="Neurons are switched off in the order of a score, the highest first; ORI is the model as it is. The "
        "coloured range round a refusal rate is its 95 % Wilson interval. Grey is the control: as many random neurons "
        "in every layer, none of them among those removed, from the lowest to the highest of at least "
        f"{min(curve.settings.draws for curve in curves)} draws, and their mean. KL says how far the distributions of "
        "the next token lie from the whole model's, on its own benign answers; perplexity is of the same text. "
        + " ".join(filter(None, map(_area, curves))),
        caveat="A fall where the grey band stays says that these neurons carry the refusals; a fall together with a "
        "rise of KL or perplexity may only say that the model breaks. The area depends on where the curve ends, so "
        "compare curves that remove equally many. The rates are the judge's own, from when they were measured: it does "
        "not see whether an answer helps, and what a person overrules does not move them. Between the steps that have "
        "controls, the band is drawn straight; it ends where more than half of a "
        "layer is removed, which leaves too few others for a control.",
        plotly=figure,
        data=pd.DataFrame([{"curve": curve.name} | row for curve in curves for row in curve.rows()]),
    )


def _told_apart(curves: Sequence[DegradationCurve]) -> list[DegradationCurve]:
    """Return the curves with a number behind the title of those that would have one name, as of other prompts."""
    names = [curve.name for curve in curves]
    return [
        replace(curve, title=f"{curve.title} ({names[:place].count(curve.name) + 1})")
        if names.count(curve.name) > 1
        else curve
        for place, curve in enumerate(curves)
    ]


def _traces(curve: DegradationCurve, panel: Panel, own_colour: str, dash: str, alone: bool) -> list[go.Scatter]:
    """Return the control's band below the lines, and each line with its interval.

    A curve alone has the colours of the kinds of prompts; of several, each has one colour of its own.
    """
    rows, scale = curve.rows(), 100 if panel.percent else 1
    found = []
    for kind, column in panel.columns.items():
        colour = palette.KINDS[kind] if alone and kind in HARMLESS else own_colour
        name = HARMLESS.get(kind, "") if alone or kind == "twin" else ""
        if kind in ("", "harmful"):
            found += _band(rows, column, scale)
        own = [row for row in rows if row["set"] == "score" and row.get(column) is not None]
        if not own:
            continue
        places, values = _places(own), [scale * row[column] for row in own]
        hover = [f"{row['neurons']:,} neurons removed: {value:.3g}" for row, value in zip(own, values, strict=True)]
        if panel.percent:
            low, high = ([scale * row[f"{kind}_{end}"] for row in own] for end in ("low", "high"))
            found += _between(places, low, high, palette.faint(colour, 0.15), "")
            hover = [
                f"{row['neurons']:,} neurons removed: {value:.0f} % of {row[f'{kind}_n']} refused"
                f"<br>95 % interval {below:.0f} to {above:.0f} %, judge {row['judge']}"
                for row, value, below, above in zip(own, values, low, high, strict=True)
            ]
        found.append(
            go.Scatter(
                x=places,
                y=values,
                mode="lines+markers",
                name=curve.name + name,
                legendrank=1001 if name else 1000,
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 7, "symbol": SYMBOLS.get(kind, "circle"), "color": colour},
                text=hover,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    return found


def _band(rows: Sequence[dict], column: str, scale: float) -> list[go.Scatter]:
    """Return the range of the random controls, from ORI on, and their mean; nothing before the first draw."""
    draws: dict[int, list[float]] = {}
    for row in rows:
        if row.get(column) is not None and (row["set"] == "RANDOM" or not row["neurons"]):
            draws.setdefault(row["neurons"], []).append(scale * row[column])
    if len(draws) < 2:
        return []
    counts = sorted(draws)
    places = np.log1p(counts).tolist()
    low, high = ([end(draws[count]) for count in counts] for end in (min, max))
    mean = go.Scatter(
        x=places,
        y=[fmean(draws[count]) for count in counts],
        mode="lines",
        name="RANDOM: lowest to highest draw, and mean",
        legendrank=1002,
        line={"color": palette.CONDITIONS["RANDOM"], "width": 2},
        text=[
            f"{count:,} random neurons: {fmean(draws[count]):.3g}, from {below:.3g} to {above:.3g}"
            for count, below, above in zip(counts, low, high, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    return [*_between(places, low, high, BAND, ""), mean]


def _between(places: list[float], low: list[float], high: list[float], fill: str, name: str) -> list[go.Scatter]:
    shared = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "name": name}
    return [
        go.Scatter(x=places, y=low, **shared),
        go.Scatter(x=places, y=high, fill="tonexty", fillcolor=fill, **shared),
    ]


def _places(rows: Sequence[dict]) -> list[float]:
    return np.log1p([row["neurons"] for row in rows]).tolist()


def _axis(curves: Sequence[DegradationCurve]) -> dict:
    """Return the axis: ORI at the left edge, and ticks at powers of four up to the most neurons."""
    # While a curve is measured, the axis has room for the points to come.
    ends = [curve.own[-1].neurons if curve.finished else curve.settings.most for curve in curves]
    most = max(ends)
    ticks = [0, *(4**power for power in range(12) if 4**power <= most)]
    return {
        "tickvals": np.log1p(ticks).tolist(),
        "ticktext": ["ORI", *(f"{tick:,}" for tick in ticks[1:])],
        "range": [-0.15, float(np.log1p(most)) + 0.15],
    }


def _area(curve: DegradationCurve) -> str:
    if curve.area() is None:
        return ""
    control = curve.random_area()
    random = "" if control is None else f", and {control:.2f} of its random controls"
    return f"Area under the refusal rate on harmful prompts, {curve.name}: {curve.area():.2f}{random} (1: all refused)."


def _title(curves: Sequence[DegradationCurve]) -> str:
    first = curves[0]
    names = first.name if len(curves) == 1 else f"{len(curves)} curves"
    counts = sorted({curve.settings.harmful for curve in curves})
    n = f"n = {' and '.join(map(str, counts))} harmful"
    judges = sorted({curve.settings.judge for curve in curves if curve.settings.generated})
    return f"Refusals as neurons are removed: {names} ({n}{', judge: ' + ', '.join(judges) if judges else ''})"
