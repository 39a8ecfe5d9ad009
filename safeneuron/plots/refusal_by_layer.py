"""At which depth the refusal appears: the refusal score and the length of the residual stream, layer by layer."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.residual_stream.reading import ResidualStream

HEIGHT = 460


def refusal_by_layer(streams: Sequence[ResidualStream]) -> Figure:
    """Draw one line a condition: the refusal score that the logit lens gives behind each layer, and the norm.

    Parameters
    ----------
    streams : sequence of ResidualStream
        Of one prompt and one model: as it is, and with a set switched off if there is one.
    """
    frame = pd.concat([_frame(stream) for stream in streams], ignore_index=True)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[2, 1])
    for stream in streams:
        colour = palette.condition_colour(stream.off)
        for row, values in enumerate((stream.refusal_scores, stream.norms[:, -1]), start=1):
            trace = go.Scatter(
                x=list(range(stream.n_layers)),
                y=values,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                # Told apart without colour too.
                marker={"size": 7, "symbol": "circle" if stream.neurons else "circle-open"},
                name=f"{stream.off} off" if stream.neurons else "as it is (ORI)",
                legendgroup=stream.off,
                showlegend=row == 1,
                hovertemplate="layer %{x}: %{y:.2f}",
            )
            figure.add_trace(trace, row=row, col=1)
    figure.update_layout(layout(HEIGHT, margin={"l": 64, "r": 12, "t": 32, "b": 48}))
    figure.update_xaxes(range=[-0.5, streams[0].n_layers - 0.5])
    figure.update_xaxes(title="layer", row=2)
    figure.update_yaxes(title="refusal score (nats)", zeroline=True, zerolinewidth=2, zerolinecolor="#888888", row=1)
    figure.update_yaxes(title="norm", type="log", tickformat="~g", nticks=5, row=2)
    return Figure(
        name="refusal-by-layer",
        title="At which layer the refusal appears",
        about="Above: the log-odds that the next word opens a refusal (I, Sorry, Unfortunately), as the logit lens "
        "reads them behind each layer at the last token of the prompt. Right of where a line rises, the stream holds "
        "the refusal. The last point is what the refusal meter shows. Below: the length of the residual stream "
        "there, on a logarithmic scale.",
        caveat="The lens reads only what is already in the language of the unembedding: a model may know earlier that "
        "it will refuse. It is one prompt, and the first word of an answer alone.",
        plotly=figure,
        data=frame,
    )


def _frame(stream: ResidualStream) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "condition": stream.off,
            "layer": range(stream.n_layers),
            "refusal_score": stream.refusal_scores,
            "norm": stream.norms[:, -1],
        }
    )
