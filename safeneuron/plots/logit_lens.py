"""The logit lens: which token the residual stream behind every layer would say next, position by position."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.tokens import LEGEND, visible
from safeneuron.residual_stream.reading import ResidualStream

ROW_HEIGHT = 17
CHARACTERS = 48
"""That a row of cells has room for beside the sidebar of a window 800 pixels wide, at the size of the cells' text."""
MIDDLE = 0.5
"""Probability from which black is readable on its cell, and below which white is."""
MANY = 12
"""With more positions than these the text is smaller, and the tokens below stand upright."""


def logit_lens(stream: ResidualStream, positions: int) -> Figure:
    """Draw the likeliest next token behind each layer at the last positions, coloured by its probability.

    Parameters
    ----------
    stream : ResidualStream
    positions : int
        How many of the last positions to draw.
    """
    drawn = min(positions, len(stream.tokens))
    probabilities = stream.top_probabilities[:, -drawn:]
    tokens = stream.top_tokens[:, -drawn:]
    length = max(3, CHARACTERS // drawn)
    layers, across = range(stream.n_layers), list(range(drawn))
    heatmap = go.Heatmap(
        z=probabilities[..., 0],
        x=across,
        y=list(layers),
        hovertext=[[_hover(stream, layer, number - drawn) for number in across] for layer in layers],
        hoverinfo="text",
        colorscale=palette.SCORE_SCALE,
        zmin=0.0,
        zmax=1.0,
        xgap=1,
        ygap=1,
        colorbar=_COLOURBAR,
    )
    # A trace of its own: Plotly's text in the cells is grey on grey in the middle of the scale.
    words = go.Scatter(
        x=[number for _ in layers for number in across],
        y=[layer for layer in layers for _ in across],
        text=[visible(token, length) for token in tokens[..., 0].reshape(-1)],
        mode="text",
        textfont={
            "size": 11 if drawn <= MANY else 9,
            "color": np.where(probabilities[..., 0].reshape(-1) < MIDDLE, "#ffffff", "#000000"),
        },
        hoverinfo="skip",
        showlegend=False,
    )
    read = [visible(token, max(8, length)) for token in stream.tokens[-drawn:]]
    figure = go.Figure(
        [heatmap, words],
        layout=layout(
            200 + ROW_HEIGHT * stream.n_layers,
            margin={"l": 48, "r": 8, "t": 62, "b": 90},
            xaxis={
                "title": "token of the prompt, as the model reads it",
                "tickvals": across,
                "ticktext": read,
                "tickangle": -40 if drawn <= MANY else -90,
                "showgrid": False,
                "automargin": True,
            },
            yaxis={"title": "layer", "range": [-0.5, stream.n_layers - 0.5], "showgrid": False, "zeroline": False},
        ),
    )
    return Figure(
        name="logit-lens",
        title=f"What each layer would say next, {_condition(stream)}",
        about="Below stand the last tokens of the prompt as the model reads it, chat template and all. Each cell holds "
        "the likeliest next token after the token below it if the model stopped behind that layer: the residual "
        "stream there, through the final norm and the unembedding (the logit lens). Brighter is surer. The top row "
        "is what the model itself says, and its last cell opens the answer. Hover a cell for its next candidates. "
        f"{LEGEND}",
        caveat="Early layers do not write in the language of the unembedding, so their tokens are often meaningless "
        "though the layers are not. A token that appears at some layer was made likely by all layers up to there, "
        "not by that one alone.",
        plotly=figure,
        data=_frame(stream, drawn),
    )


_COLOURBAR = {
    "title": {"text": "probability", "side": "top"},
    "tickformat": ".0%",
    # Above the cells, where it takes no width from them, and left of the tool bar.
    "orientation": "h",
    "thickness": 8,
    "len": 0.5,
    "x": 0.0,
    "xanchor": "left",
    "y": 1.0,
    "yanchor": "bottom",
}


def _condition(stream: ResidualStream) -> str:
    return f"with {stream.off} switched off" if stream.neurons else "with nothing switched off"


def _hover(stream: ResidualStream, layer: int, position: int) -> str:
    candidates = (f"{visible(one['token'])}  {one['probability']:.1%}" for one in stream.top(layer, position))
    return f"layer {layer}, after {visible(stream.tokens[position])}<br>" + "<br>".join(candidates)


def _frame(stream: ResidualStream, drawn: int) -> pd.DataFrame:
    first = len(stream.tokens) - drawn
    layers, positions, ranks = np.indices(stream.top_tokens[:, first:].shape).reshape(3, -1)
    return pd.DataFrame(
        {
            "layer": layers,
            "position": stream.first_position + first + positions,
            "after": [stream.tokens[first + number] for number in positions],
            "rank": ranks + 1,
            "token": stream.top_tokens[:, first:].reshape(-1),
            "probability": stream.top_probabilities[:, first:].reshape(-1),
        }
    )
