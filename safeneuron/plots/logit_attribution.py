"""Direct logit attribution: what each layer's attention and MLP add to the logits that open a refusal."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.tokens import visible
from safeneuron.residual_stream.reading import ResidualStream

ROW_HEIGHT = 230


def logit_attribution(streams: Sequence[ResidualStream]) -> Figure:
    """Draw two bars a layer, attention and MLP, in a panel a condition.

    Parameters
    ----------
    streams : sequence of ResidualStream
        Of one prompt and one model; each with an attribution.
    """
    figure = make_subplots(
        rows=len(streams),
        cols=1,
        shared_xaxes=True,
        shared_yaxes="all",
        vertical_spacing=0.14 if len(streams) > 1 else 0.0,
        subplot_titles=[_sum(stream) for stream in streams],
    )
    for row, stream in enumerate(streams, start=1):
        for part, values in (("attention", stream.attribution.attention), ("MLP", stream.attribution.mlp)):
            bars = go.Bar(
                x=list(range(stream.n_layers)),
                y=values,
                marker={"color": palette.PARTS[part], "line": {"width": 0}},
                name=part,
                legendgroup=part,
                showlegend=row == 1,
                hovertemplate=f"{part} of layer %{{x}}: %{{y:+.3f}}",
            )
            figure.add_trace(bars, row=row, col=1)
    figure.update_layout(
        layout(
            100 + ROW_HEIGHT * len(streams),
            margin={"l": 56, "r": 12, "t": 64, "b": 48},
            barmode="group",
            bargap=0.25,
        )
    )
    figure.update_layout(legend={"yref": "container", "y": 1.0, "yanchor": "top"})
    figure.update_annotations(font_size=13, xanchor="left", x=0.0)
    figure.update_xaxes(title="layer", row=len(streams))
    figure.update_yaxes(title="logits", zeroline=True, zerolinewidth=2, zerolinecolor="#888888")
    tokens = ", ".join(visible(token) for token in streams[0].refusal_tokens)
    return Figure(
        name="logit-attribution",
        title=f"What each layer adds to the logits that open a refusal ({tokens})",
        about=f"The mean logit of {tokens} less the mean of all logits, at the last token of the prompt, taken apart "
        "into what each layer's attention and MLP wrote into the residual stream (direct logit attribution). Bars "
        "above zero push towards a refusal, bars below away from it. With the embedding and the biases they add up "
        "to the model's own difference, which stands above the bars.",
        caveat="Only what a part writes straight into the last position's stream is counted; what later layers make "
        "of it is counted as theirs. The scale of the final norm is held at its value on this prompt, and a soft cap "
        "on the logits, in models that have one, comes after this sum. The last layers may lift every word that can "
        "open an answer, refusal or not, and a large bar is no proof of a cause: switch neurons off for that.",
        plotly=figure,
        data=pd.concat([_frame(stream) for stream in streams], ignore_index=True),
    )


def _sum(stream: ResidualStream) -> str:
    found = stream.attribution
    layers = float(found.attention.sum() + found.mlp.sum())
    named = f"{stream.off} off" if stream.neurons else "as it is"
    parts = f"layers {layers:+.2f}, embedding {found.embedding:+.2f}, biases {found.constant:+.2f}"
    return f"{named}: {found.total:+.2f} = {parts}"


def _frame(stream: ResidualStream) -> pd.DataFrame:
    found = stream.attribution
    layers = range(stream.n_layers)
    rows = [
        ("embedding", None, found.embedding),
        *(("attention", layer, float(found.attention[layer])) for layer in layers),
        *(("MLP", layer, float(found.mlp[layer])) for layer in layers),
        ("biases", None, found.constant),
        ("rounding", None, found.rounding),
        ("total", None, found.total),
    ]
    return pd.DataFrame(rows, columns=["part", "layer", "logits"]).assign(condition=stream.off)
