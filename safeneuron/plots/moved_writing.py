"""Whether the same neurons write towards refusing after training, layer by layer."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.moved_writing import WritingOf
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_line import layer_line
from safeneuron.plots.layer_mark import band
from safeneuron.plots.layer_writing import WORDS


def writing_by_model(found: Sequence[WritingOf], reading: str, marked: int | None = None) -> Figure:
    """Draw what each model's own safety neurons write, and what the base's write in it; the base comes first."""
    short, unit, long = WORDS[reading]
    base, *others = found
    lines = [layer_line(f"{base.title}, its own", base.bases.shift, 0, "base", "%{y:.3g}")]
    for place, one in enumerate(others, start=1):
        if one.own is not None:
            lines.append(layer_line(f"{one.title}, its own", one.own.shift, place, "own", "%{y:.3g}"))
        lines.append(layer_line(f"{one.title}, the base's", one.bases.shift, place, "other", "%{y:.3g}"))
    layers = len(base.bases.shift)
    figure = go.Figure(
        lines,
        layout=layout(
            400,
            shapes=band(marked),
            xaxis={"title": "layer", "range": [-0.6, layers - 0.4]},
            yaxis={"title": unit, "zeroline": True, "zerolinecolor": "#888888"},
        ),
    )
    return Figure(
        name=f"moved-written-{reading}",
        title=f"What safety neurons write {short}, in each model",
        about=f"What safety neurons (FULL) add {long}; on harmful prompts less on benign ones, on average, at the last "
        "prompt token. Solid: the model's own safety neurons; dashed: the base's, in this model; dotted: the base "
        "itself. A dashed line near 0 under a solid one that is not: other neurons than the base's now do the writing. "
        "A refusal direction is each model's own.",
        caveat="A direct effect only, as on Writing. What neurons write does not show whether refusals hang on them: "
        "others may write the same. The Ablation page switches them off.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"model": one.title, "neurons": whose, "layer": layer, "written": float(value)}
                for one in found
                for whose, sums in (("its own", one.own), ("the base's", one.bases))
                if sums is not None
                for layer, value in enumerate(sums.shift)
            ]
        ),
    )
