"""What training moved in the categories' safety neurons: overlap ratios, and each set beside the base's."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from safeneuron.overlap.moved_categories import CategoriesOf, MovedCategories
from safeneuron.plots import palette
from safeneuron.plots.depth import short
from safeneuron.plots.figure import Figure, layout
from safeneuron.plots.layer_line import colour_of
from safeneuron.plots.overlap_ratio import FORMULA_WORDS

ROW = 34


def ratios_by_model(found: MovedCategories, formula: str) -> Figure:
    """Draw the mean overlap ratio of K categories for the base and each model beside it."""
    models = [found.base, *found.others]
    lines = [
        go.Scatter(
            x=[one.k for one in model.ratios[formula]],
            y=[one.mean for one in model.ratios[formula]],
            customdata=[one.chance for one in model.ratios[formula]],
            mode="lines+markers",
            name=model.title,
            line={"color": colour_of(place), "width": 2, "dash": "solid" if place else "dot"},
            hovertemplate="%{y:.3f} (by chance %{customdata:.4f})",
        )
        for place, model in enumerate(models)
    ]
    last = found.base.ratios[formula][-1].k
    figure = go.Figure(
        lines,
        layout=layout(
            380,
            hovermode="x unified",
            xaxis={"title": "K, how many categories at a time", "dtick": 1, "range": [1.8, last + 0.2]},
            yaxis={"title": "overlap ratio", "range": [0, 1.02]},
        ),
    )
    return Figure(
        name=f"moved-overlap-ratio-{formula}",
        title="How much K categories have in common, in each model",
        about=f"The overlap ratio: {FORMULA_WORDS[formula]}; its mean over all combinations of K categories (the "
        "paper's Fig. 5), for the base (dotted) and for each model beside it, on the same prompts and under the same "
        "thresholds. A line above the base's: the model's categories share more of their safety neurons.",
        caveat="A model with fewer safety neurons under these thresholds has smaller sets, of which single neurons "
        "move the ratio more. That categories share neurons says nothing about whether these carry the refusals.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"model": model.title, "k": one.k, "mean": one.mean, "deviation": one.deviation, "chance": one.chance}
                for model in models
                for one in model.ratios[formula]
            ]
        ),
    )


def kept_by_category(others: Sequence[CategoriesOf]) -> Figure:
    """Draw, a row per model, the Jaccard index of each category's set with the base's set of that category."""
    names = list(others[0].shared)
    values = np.array([[one.shared[name].jaccard for name in names] for one in others])
    known = values[~np.isnan(values)]
    details = [
        [[one.shared[name].shared, one.shared[name].base, one.shared[name].own, one.shared[name].chance.shared]]
        for one in others
        for name in names
    ]
    heatmap = go.Heatmap(
        z=values,
        x=[name.replace("_", " ") for name in names],
        y=list(range(len(others))),
        text=[["–" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values],
        texttemplate="%{text}",
        customdata=np.array(details).reshape(len(others), len(names), 4),
        zmin=0,
        zmax=float(known.max(initial=0.0)) or 1.0,
        xgap=1,
        ygap=2,
        colorscale=palette.SCORE_SCALE,
        hovertemplate="%{x}: Jaccard index %{text}<br>%{customdata[0]:.0f} of the base's %{customdata[1]:.0f} kept; it "
        "has %{customdata[2]:.0f}<br>by chance %{customdata[3]:.2f} kept<extra></extra>",
        colorbar={"title": {"text": "Jaccard index"}, "thickness": 12, "outlinewidth": 0, "nticks": 4},
    )
    plain = {"showgrid": False, "zeroline": False, "automargin": True}
    rows = {"tickvals": list(range(len(others))), "ticktext": [short(one.title) for one in others]}
    figure = go.Figure(
        heatmap,
        layout=layout(
            226 + ROW * len(others),
            # Room for the tool bar, which would cover the first row.
            margin={"l": 56, "r": 12, "t": 48, "b": 48},
            xaxis={"title": "category of harm", "tickangle": -40} | plain,
            yaxis=rows | {"range": [len(others) - 0.5, -0.5]} | plain,
        ),
    )
    return Figure(
        name="kept-by-category",
        title="Which categories keep their safety neurons",
        about="Each row is a model, each cell a category of harm: the Jaccard index of its safety neurons in this "
        "model with the base's of the same category, found on the same prompts under the same thresholds. 1: the same "
        "neurons; hover for how many, and how many random sets of these sizes in each layer would share.",
        caveat="Categories have few prompts each, so that their sets would differ somewhat between two draws of "
        "prompts of one model too (Stability tells how much for all prompts). A neuron that is gone may have "
        "fallen just below a threshold.",
        plotly=figure,
        data=pd.DataFrame(
            [
                {"model": one.title, "category": name, "base": each.base, "model_has": each.own, "kept": each.shared}
                | {"jaccard": each.jaccard, "by_chance": each.chance.shared, "p": each.chance.p}
                for one in others
                for name, each in one.shared.items()
            ]
        ),
    )
