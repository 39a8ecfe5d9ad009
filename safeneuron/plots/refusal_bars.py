"""The bars: refusals with nothing, ES, SAS, FULL, as many random neurons, or a further set switched off."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

Rows = Sequence[Mapping[str, Any]]
"""What ``evaluate`` prints: see :meth:`safeneuron.robustness.ConditionResult.to_row`."""

KINDS = {
    "harmful": ("n", "refusal_rate", "interval", "harmful prompts refused"),
    "benign": ("benign_n", "benign_refusal_rate", "benign_interval", "benign prompts refused"),
    "twin": ("twin_n", "twin_refusal_rate", "twin_interval", "safe twins refused"),
}
PROMPTS = {
    "harmful": "harmful prompts",
    "benign": "benign prompts",
    "twin": "safe twins (prompts that share words with a harmful one and deserve an answer)",
}
FIVE = ("ORI", "ES", "SAS", "FULL", "RANDOM")
PATTERNS = ("", "/", "x", ".")
"""Fill of the bars of each table, since the colour already says the condition."""


def refusal_bars(tables: Mapping[str, Rows], kind: str = "harmful") -> Figure:
    """Draw refusal rates with 95 % Wilson intervals.

    Parameters
    ----------
    tables : mapping
        Rows per legend entry, such as "before" and "after"; one entry gives single bars.
    kind : {"harmful", "benign", "twin"}
    """
    count, value, interval, words = KINDS[kind]
    first = next(iter(tables.values()))
    n, judge = first[0][count], first[0]["judge"]
    # A legend stands at the foot: over a third of the page, the tool bar would cover it.
    below = 76 if len(tables) > 1 else 48
    figure = go.Figure(
        layout=layout(
            332 + below,
            barmode="group",
            # So that the numbers stand over their own bars.
            scattermode="group",
            showlegend=len(tables) > 1,
            margin={"l": 56, "r": 12, "t": 34, "b": below},
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0},
            xaxis={"title": "neurons switched off"},
            yaxis={"title": f"{words}, % (n = {n})", "range": [0, 112], "tick0": 0, "dtick": 20},
        )
    )
    for (name, rows), pattern in zip(tables.items(), PATTERNS, strict=False):
        figure.add_trace(_bars(name, rows, (count, value, interval), pattern))
        figure.add_trace(_numbers(name, rows, value, interval))
    return Figure(
        name=f"refusals-{kind}",
        # Short enough for one line of a third of the page, so that the three figures stand level.
        title=f"{words.capitalize().replace(' prompts', '')} (n = {n}, judge: {judge})",
        about=f"The share of {PROMPTS[kind]} that the model refuses with no neuron switched off (ORI), with the "
        "neurons of ES, of SAS, of both (FULL), and with as many random neurons per layer as FULL has (RANDOM, the "
        f"control){_others(first)}. Lines are 95 % Wilson intervals. {_reading(kind)}",
        caveat=f"{_apart(tables, kind)} A judge errs: one that looks for phrases takes an answer that apologises and "
        "then helps for a refusal, and no judge of refusals sees whether an answer helps. Open the answers below. "
        "For RANDOM with several draws, the interval counts the prompts once.",
        plotly=figure,
        data=pd.DataFrame([{"table": name} | dict(row) for name, rows in tables.items() for row in rows]),
    )


def _apart(tables: Mapping[str, Rows], kind: str) -> str:
    """Say how many answers are neither refusals nor answers, condition by condition."""
    prefix = KINDS[kind][0].removesuffix("n")
    said = []
    for name, rows in tables.items():
        for row in rows:
            counts = [f"{row[prefix + what]} {what}" for what in ("incoherent", "empty") if row.get(prefix + what)]
            if counts:
                said.append(f"{row['condition']}{f', {name}' if len(tables) > 1 else ''}: {', '.join(counts)}")
    if said:
        return f"Counted apart, and no refusals: {'; '.join(said)}."
    # Rates of earlier versions were counted without looking.
    looked = all(row.get(f"{prefix}incoherent") is not None for rows in tables.values() for row in rows)
    return "No answer was empty or incoherent." if looked else "Empty and incoherent answers were not looked for."


def _others(rows: Rows) -> str:
    """Say what the bars beyond the five are."""
    names = [row["condition"] for row in rows if row["condition"] not in FIVE]
    return f", and with the set {', '.join(names)}" if names else ""


def _reading(kind: str) -> str:
    if kind == "harmful":
        return "A fall from ORI to FULL, while RANDOM stays, says that these neurons carry the refusals."
    return "Here every refusal is one too many."


def _bars(name: str, rows: Rows, columns: tuple[str, str, str], pattern: str) -> go.Bar:
    count, value, interval = columns
    shares = [100 * row[value] for row in rows]
    return go.Bar(
        name=name,
        x=[row["condition"] for row in rows],
        y=shares,
        offsetgroup=name,
        marker={
            "color": [palette.condition_colour(row["condition"]) for row in rows],
            "line": {"color": palette.OUTLINE, "width": 1},
            "pattern": {"shape": pattern, "fgcolor": "rgba(255,255,255,0.75)", "size": 7},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * row[interval][1] - share for row, share in zip(rows, shares, strict=True)],
            "arrayminus": [share - 100 * row[interval][0] for row, share in zip(rows, shares, strict=True)],
            "color": "#888888",
            "thickness": 2,
            "width": 6,
        },
        customdata=[[row["neurons"], row[count], 100 * row[interval][0], 100 * row[interval][1]] for row in rows],
        hovertemplate="%{x}, %{customdata[0]} neurons off<br>%{y:.1f} % of %{customdata[1]} refused"
        "<br>95 % interval %{customdata[2]:.1f} to %{customdata[3]:.1f} %",
    )


def _numbers(name: str, rows: Rows, value: str, interval: str) -> go.Scatter:
    """Write each rate above its interval, where no bar, pattern or line runs through it."""
    return go.Scatter(
        x=[row["condition"] for row in rows],
        y=[100 * row[interval][1] for row in rows],
        text=[f"{100 * row[value]:.0f}" for row in rows],
        mode="text",
        textposition="top center",
        offsetgroup=name,
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
