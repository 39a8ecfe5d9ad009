"""Which neurons stayed, joined, came back and left the safety set, round by round: a Sankey diagram.

Every neuron that is in any of the sets runs through the whole picture, so each column is as high as the others.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.sets.flow import FOUND, JOINED, KEPT, LEFT, NOT_YET, OUT, RETURNED, SetFlow

# At the top there is room for the tool bar, which would cover the last title.
HEIGHT, TOP, BOTTOM = 424, 58, 54
PAD = 16
"""Pixels between the nodes of a column."""
EDGE = 0.001
"""Plotly takes 0 for a place that was not given."""
WORDS = {
    FOUND: "safety neurons",
    KEPT: "kept",
    RETURNED: "came back",
    JOINED: "new",
    LEFT: "left",
    OUT: "left earlier",
    NOT_YET: "not yet in it",
}
OPACITIES = {OUT: 0.5, NOT_YET: 0.22}
FAINT = 0.35
"""Opacity of a band, which others cross, as a share of its node's."""


def set_flow_figure(flow: SetFlow, columns: Sequence[str]) -> Figure:
    """Draw how a set changed over rounds.

    Parameters
    ----------
    columns : sequence of str
        What each set is called, such as "before" and "after round 1".
    """
    first, last = flow.sets[0], flow.sets[-1]
    stayed = len(first.neurons & last.neurons)
    return Figure(
        name="set-flow",
        title=f"Of {len(first):,} safety neurons {stayed:,} are still in the set of {len(last):,} {columns[-1]}",
        about="Each column is a model, and its height all neurons that are safety neurons (FULL) of any of them; bands "
        "follow the neurons from one to the next. Red: in the set before, and still. Blue: for the first time. Purple: "
        "back after a round outside. Grey: left, in this round or an earlier one; faint: not in it yet. Two random "
        f"sets with as many neurons in each layer would share, on average, {_by_chance(flow, columns)}.",
        caveat="A neuron leaves when its scores fall below the thresholds, and may still do what it did; its frozen "
        "weights stay the same while its inputs change. Prompts drawn anew would change the set too, without any "
        "training: see Stability on the Overlap page. That new neurons carry the refusals shows only when they are "
        "switched off.",
        plotly=_figure(flow, columns),
        data=_frame(flow, columns),
    )


def _by_chance(flow: SetFlow, columns: Sequence[str]) -> str:
    found = [
        f"{chance.shared:.1f} of the {flow.counts(place).get(KEPT, 0):,} kept {columns[place]} (p {_p(chance.p)})"
        for place, chance in enumerate(flow.chance, start=1)
    ]
    return ", ".join(found)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _figure(flow: SetFlow, columns: Sequence[str]) -> go.Figure:
    places = [i / (len(columns) - 1) for i in range(len(columns))]
    figure = go.Figure(
        layout=layout(
            HEIGHT,
            margin={"l": 8, "r": 8, "t": TOP, "b": BOTTOM},
            annotations=[
                *(_note(place, 1.0, "bottom", f"<b>{name}</b>") for place, name in zip(places, columns, strict=True)),
                *(
                    _note(place, -0.02, "top", f"in the set: {len(found):,}{_expected(flow, column)}")
                    for column, (place, found) in enumerate(zip(places, flow.sets, strict=True))
                ),
            ],
        )
    )
    if flow.states[0]:
        figure.add_trace(_sankey(flow, places))
    else:
        figure.add_annotation(_note(0.5, 0.5, "middle", "no model has a safety neuron under these thresholds"))
    return figure


def _expected(flow: SetFlow, column: int) -> str:
    return f"<br>kept by chance: {flow.chance[column - 1].shared:.1f}" if column else ""


def _note(x: float, y: float, anchor: str, text: str) -> dict[str, Any]:
    side = "left" if x == 0 else "right" if x == 1 else "center"
    shared = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": side, "align": side}
    return shared | {"x": x, "y": y, "yanchor": anchor, "text": text}


def _sankey(flow: SetFlow, places: Sequence[float]) -> go.Sankey:
    nodes = [(column, state) for column in range(len(places)) for state in flow.counts(column)]
    numbers = {node: number for number, node in enumerate(nodes)}
    moves = [
        (numbers[column - 1, old], numbers[column, new], count, new)
        for column in range(1, len(places))
        for (old, new), count in flow.moves(column).items()
    ]
    middles = [middle for column in range(len(places)) for middle in _middles(flow, column)]
    counts = [flow.counts(column)[state] for column, state in nodes]
    return go.Sankey(
        arrangement="fixed",
        node={
            "x": [min(max(places[column], EDGE), 1 - EDGE) for column, _ in nodes],
            "y": middles,
            "label": [f"{WORDS[state]} {count:,}" for (_, state), count in zip(nodes, counts, strict=True)],
            "color": [_colour(state) for _, state in nodes],
            "line": {"width": 0},
            "pad": PAD,
            "thickness": 14,
            "hovertemplate": "%{label}<extra></extra>",
        },
        textfont={"size": 13, "weight": 600},
        link={
            "source": [source for source, _, _, _ in moves],
            "target": [target for _, target, _, _ in moves],
            "value": [count for _, _, count, _ in moves],
            "color": [_colour(state, FAINT) for *_, state in moves],
            "hovertemplate": "%{value:,} neurons: %{source.label} → %{target.label}<extra></extra>",
        },
    )


def _middles(flow: SetFlow, column: int) -> list[float]:
    """Return where the middle of each of a column's nodes lies, 0 to 1 from the top, as Plotly scales them.

    All columns have as many neurons; the one with the most nodes, and so the most gaps, sets the scale.
    """
    inner = HEIGHT - TOP - BOTTOM
    gaps = max(len(flow.counts(place)) for place in range(len(flow.sets))) - 1
    pixels = (inner - gaps * PAD) / len(flow.states[0])
    middles, top = [], 0.0
    for count in flow.counts(column).values():
        middles.append(min(max((top + count * pixels / 2) / inner, EDGE), 1 - EDGE))
        top += count * pixels + PAD
    return middles


def _colour(state: str, opacity: float = 1.0) -> str:
    return palette.faint(palette.MEMBERSHIP[state], OPACITIES.get(state, 1.0) * opacity)


def _frame(flow: SetFlow, columns: Sequence[str]) -> pd.DataFrame:
    rows = []
    for place, name in enumerate(columns):
        counts = flow.counts(place)
        row: dict[str, Any] = {"model": name, "in the set": len(flow.sets[place])}
        row |= {WORDS[state]: counts.get(state, 0) for state in (KEPT, RETURNED, JOINED, LEFT, OUT)}
        chance = flow.chance[place - 1] if place else None
        row |= {"kept by chance": chance and chance.shared, "p": chance and chance.p}
        rows.append(row)
    return pd.DataFrame(rows)
