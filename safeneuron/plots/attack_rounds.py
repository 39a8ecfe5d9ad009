"""Iterative pruning: how many harmful prompts are still refused after each round of finding and silencing neurons."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from safeneuron.iterative_pruning import IterativePruning
from safeneuron.plots import palette
from safeneuron.plots.figure import Figure, layout
from safeneuron.refusal.rates import Rate

DASHES = ("solid", "dot")
"""Of the models in their order, beside their colours, so that they are told apart without these."""


def attack_rounds(attacks: Mapping[str, IterativePruning]) -> Figure:
    """Draw a line per model over the rounds, and beside its end the control.

    Parameters
    ----------
    attacks : mapping
        By the model's title, on the same prompts and with the same judge; one or two.
    """
    last = max(len(attack.rounds) for attack in attacks.values()) - 1
    first = next(iter(attacks.values())).rounds[0].refusal
    ticks = [0, *range(1, last + 1), last + 1]
    figure = go.Figure(
        layout=layout(
            380,
            # Room for the tool bar, which would cover a rate of 100 %.
            margin={"l": 56, "r": 12, "t": 44, "b": 76},
            xaxis={
                "title": "round",
                "range": [-0.3, last + 1.3],
                "tickvals": ticks,
                "ticktext": ["0 (ORI)", *map(str, ticks[1:-1]), "RANDOM"],
                "zeroline": False,
            },
            yaxis={"title": f"harmful prompts refused, % (n = {first.n})", "range": [-3, 104], "tick0": 0, "dtick": 20},
            legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0},
        )
    )
    rows = []
    for number, ((title, attack), dash) in enumerate(zip(attacks.items(), DASHES, strict=False)):
        colour = palette.run_colour(number) if len(attacks) > 1 else palette.CONDITIONS["FULL"]
        # Side by side, so that neither model's interval hides the other's.
        aside = 0.06 * (number - (len(attacks) - 1) / 2)
        figure.add_trace(
            _points(
                title,
                [one.round + aside for one in attack.rounds],
                [one.refusal for one in attack.rounds],
                [f"round {one.round}, {len(one.neurons):,} neurons off" for one in attack.rounds],
                {"color": colour, "dash": dash},
            )
        )
        rows += [{"model": title, "condition": f"round {row['round']}"} | row for row in attack.rows()]
        if attack.random:
            words = f"{len(attack.rounds[-1].neurons):,} random neurons off"
            figure.add_trace(
                _points(f"{title}, RANDOM", [last + 1 + aside], [attack.random], [words], {"color": colour}, False)
            )
            rows.append({"model": title, "condition": "RANDOM"} | attack.control_row())
    return Figure(
        name="attack-rounds",
        title=f"Refusals under an attack that looks again (n = {first.n}, judge: {first.judge})",
        about="Round 0 is the model as it is. Each further round finds FULL on the model as it is left, with all that "
        "was found before switched off, and switches that off too; lines are 95 % Wilson intervals. A line that stays "
        "high says that refusing outlives the loss of every neuron that this search finds. RANDOM: as many random "
        "neurons of each layer switched off as after the last round.",
        caveat=f"{_apart(attacks)} A line ends where nothing new was found. A search by other scores or thresholds "
        "may find other neurons, so a high line is no proof of safety; a low one where RANDOM stays high shows that "
        "the refusals hang on what was found.",
        plotly=figure,
        data=pd.DataFrame(rows),
    )


def _points(
    name: str, places: list[float], rates: list[Rate], words: list[str], look: dict[str, str], line: bool = True
) -> go.Scatter:
    return go.Scatter(
        name=name,
        x=places,
        y=[100 * found.value for found in rates],
        mode="lines+markers" if line else "markers",
        line=look | {"width": 2},
        marker={"size": 8, "color": look["color"], "symbol": "circle" if line else "diamond-open"},
        showlegend=line,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (found.high - found.value) for found in rates],
            "arrayminus": [100 * (found.value - found.low) for found in rates],
            "thickness": 1.2,
            "width": 4,
        },
        text=[
            f"{said}: {found.value:.1%} refused, 95 % interval {found.low:.1%} to {found.high:.1%}, n = {found.n}"
            for said, found in zip(words, rates, strict=True)
        ],
        hovertemplate="%{text}<extra>" + name + "</extra>",
    )


def _apart(attacks: Mapping[str, IterativePruning]) -> str:
    """Say how many answers are neither refusals nor answers, where there are any."""
    said = [
        f"{title}, round {one.round}: {one.refusal.apart}"
        for title, attack in attacks.items()
        for one in attack.rounds
        if one.refusal.apart
    ]
    return f"Counted apart, and no refusals: {'; '.join(said)}." if said else "No answer was empty or incoherent."
