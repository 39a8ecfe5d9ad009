"""The largest intersections of the categories' sets: an UpSet plot (Lex et al. 2014)."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from safeneuron.overlap.intersections import Intersections
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout

FILLED, OPEN = palette.CONDITIONS["FULL"], "rgba(122,122,122,0.35)"


def upset(found: Intersections) -> Figure:
    """Draw a bar for each combination of categories, and under it the categories as filled dots."""
    count, categories = found.members.shape
    words = [name.replace("_", " ") for name in found.names]
    columns = [
        f"only {words[int(np.argmax(row))]}" if row.sum() == 1 else f"{row.sum()} categories" for row in found.members
    ]
    figure = make_subplots(
        rows=2,
        cols=2,
        # The corner stays empty: a shared axis there would end the bars' one.
        specs=[[None, {}], [{}, {}]],
        shared_xaxes="columns",
        column_widths=[1, 4],
        row_heights=[3, max(2.0, 0.34 * categories)],
        horizontal_spacing=0.04,
        vertical_spacing=0.03,
    )
    figure.add_trace(
        go.Bar(
            x=list(range(count)),
            y=found.counts,
            text=found.counts,
            textposition="outside",
            cliponaxis=False,
            customdata=np.stack([np.array(columns, dtype=object), found.expected, found.p], axis=1),
            marker={"color": FILLED},
            hovertemplate="%{y} neurons in exactly these: %{customdata[0]}<br>by chance %{customdata[1]:.3g}, "
            "p = %{customdata[2]:.1e}<extra></extra>",
        ),
        row=1,
        col=2,
    )
    figure.add_trace(
        go.Bar(
            x=found.sizes,
            y=words,
            orientation="h",
            marker={"color": palette.OUTLINE},
            hovertemplate="%{y}: %{x} neurons<extra></extra>",
        ),
        row=2,
        col=1,
    )
    for member, colour in ((False, OPEN), (True, FILLED)):
        rows, places = np.nonzero(member == found.members.T)
        figure.add_trace(
            go.Scatter(
                x=places,
                y=[words[row] for row in rows],
                mode="markers",
                marker={"size": 9, "color": colour},
                hoverinfo="skip",
            ),
            row=2,
            col=2,
        )
    for place, row in enumerate(found.members):
        ends = np.flatnonzero(row)[[0, -1]]
        figure.add_trace(
            go.Scatter(
                x=[place, place],
                y=[words[end] for end in ends],
                mode="lines",
                line={"color": FILLED, "width": 2},
                hoverinfo="skip",
            ),
            row=2,
            col=2,
        )
    figure.update_layout(
        layout(300 + 26 * categories, showlegend=False, bargap=0.3, margin={"l": 56, "r": 12, "t": 28, "b": 48})
    )
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(showticklabels=False, range=[-0.7, count - 0.3], col=2)
    figure.update_xaxes(title="neurons", autorange="reversed", row=2, col=1)
    figure.update_yaxes(title="neurons", row=1, col=2)
    figure.update_yaxes(
        autorange="reversed", categoryorder="array", categoryarray=words, showgrid=False, row=2, automargin=True
    )
    figure.update_yaxes(showticklabels=False, row=2, col=2)
    return Figure(
        name="largest-intersections",
        title=f"The {count} largest intersections of the categories' sets",
        about="Every neuron is counted once, under exactly the categories whose sets it is in: the filled dots below "
        "a bar. The bars on the left are the sizes of the sets. An UpSet plot, which replaces a Venn diagram where "
        "there are many sets. Hover for how many neurons random sets, with as many in every layer, would have in "
        "exactly these categories, and how likely so many are by chance (layer-matched multi-set hypergeometric test)."
        + (f" {found.left_out:,} neurons are in smaller intersections." if found.left_out else ""),
        caveat="A neuron just below the threshold in one category counts as absent there, so that a core neuron may "
        "stand under nine of ten categories; lower the thresholds and see which intersections stay.",
        plotly=figure,
        data=pd.DataFrame(found.members, columns=list(found.names)).assign(
            neurons=found.counts, by_chance=found.expected, p=found.p
        ),
    )
