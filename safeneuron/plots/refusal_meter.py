"""The refusal meter: log-odds of a refusal for each prompt of the panel, as it is and ablated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

LABEL_LENGTH = 44
ROW_HEIGHT = 24


def refusal_meter(
    prompts: Sequence[str], harmful: Sequence[bool], original: np.ndarray, ablated: np.ndarray, condition: str
) -> Figure:
    """Draw each prompt's log-odds: the original as a grey ghost, the ablated in the condition's colour.

    Parameters
    ----------
    prompts : sequence of str
    harmful : sequence of bool
        Which prompts are harmful.
    original, ablated : numpy.ndarray
        Refusal scores ``[n]`` in nats.
    condition : str
        Name of the set that is switched off.
    """
    frame = pd.DataFrame(
        {
            "prompt": list(prompts),
            "kind": np.where(np.asarray(harmful, dtype=bool), "harmful", "benign"),
            "original": original,
            "ablated": ablated,
        }
    )
    groups = [(kind, frame[frame["kind"] == kind]) for kind in ("harmful", "benign")]
    groups = [(kind, rows) for kind, rows in groups if len(rows)]
    figure = make_subplots(
        rows=len(groups),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.09,
        row_heights=[len(rows) for _, rows in groups],
        subplot_titles=[f"{kind} prompts" for kind, _ in groups],
    )
    for number, (_, rows) in enumerate(groups, start=1):
        for trace in _traces(rows, condition, legend=number == 1):
            figure.add_trace(trace, row=number, col=1)
        # By number, since two long prompts may have the same label.
        labels = [_short(prompt) for prompt in rows["prompt"]]
        ends = [len(rows) - 0.5, -0.5]
        figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, range=ends, row=number, col=1)
    figure.update_layout(
        layout(
            150 + ROW_HEIGHT * len(frame),
            margin={"l": 12, "r": 12, "t": 40, "b": 84},
            # Below, since the tool bar comes up over the top.
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0},
        )
    )
    figure.update_xaxes(zeroline=True, zerolinewidth=2, zerolinecolor="#888888")
    figure.update_yaxes(automargin=True, showgrid=False)
    figure.update_xaxes(title="log-odds that the answer opens with a refusal (nats)", row=len(groups), col=1)
    figure.update_annotations(font_size=13, x=0.0, xanchor="left")
    return Figure(
        name="refusal-meter",
        title=f"How each answer would open, with {condition} switched off",
        about="For each prompt of a fixed panel, the log-odds that the first word of the answer opens a refusal "
        "(I, Sorry, Unfortunately). Right of zero a refusal is likelier than not. Grey: the model as it is; coloured: "
        "with the neurons switched off.",
        caveat="It looks at the first word alone and says nothing of what follows: an answer may open politely and "
        "then refuse, or open with 'I' and help. The rate from generated answers, below, is the test.",
        plotly=figure,
        data=frame,
    )


def _traces(rows: pd.DataFrame, condition: str, legend: bool) -> list[go.Scatter]:
    at = list(range(len(rows)))
    across, down = [], []
    for number, original, ablated in zip(at, rows["original"], rows["ablated"], strict=True):
        across += [original, ablated, None]
        down += [number, number, None]
    lines = go.Scatter(
        x=across, y=down, mode="lines", line={"color": "#aaaaaa", "width": 1}, hoverinfo="skip", showlegend=False
    )
    looks = {
        "original": ("as it is", palette.CONDITIONS["ORI"], "circle-open"),
        "ablated": (f"{condition} off", palette.condition_colour(condition), "circle"),
    }
    dots = [
        go.Scatter(
            x=rows[column],
            y=at,
            customdata=rows["prompt"],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10, "line": {"color": colour, "width": 2}},
            name=name,
            legendgroup=column,
            showlegend=legend,
            hovertemplate="%{customdata}<br>log-odds %{x:.2f}",
        )
        for column, (name, colour, symbol) in looks.items()
    ]
    return [lines, *dots]


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= LABEL_LENGTH else f"{prompt[: LABEL_LENGTH - 1]}…"
