"""Refusal rates drawn: a figure of bars per kind of prompt, and the difference where there are two tables."""

from collections.abc import Mapping

import streamlit as st

from safeneuron.comparison import rate_changes
from safeneuron.plots.rate_differences import rate_differences
from safeneuron.plots.refusal_bars import refusal_bars
from safeneuron.refusal.rates import rate
from safeneuron.robustness import RobustnessTable
from safeneuron.ui import figure, refusal_words

FEW_PROMPTS = 30
NAMES = {"harmful": "harmful prompts", "benign": "benign prompts", "twin": "safe twins"}


def show(tables: Mapping[str, RobustnessTable], key: str) -> None:
    """Draw the bars of one table or two; of two, also the second's rates less the first's."""
    counts = {kind: found.n for kind, found in next(iter(tables.values())).results[0].by_kind().items()}
    rows = {title: table.rows() for title, table in tables.items()}
    for column, kind in zip(st.columns(len(counts)), counts, strict=True):
        with column:
            figure.show(refusal_bars(rows, kind), key=f"{key}_{kind}")
    apart = _apart(tables)
    if apart:
        st.caption(f"Beside the rates: {'; '.join(apart)}.", help=refusal_words.INCOHERENT)
    few = {kind: n for kind, n in counts.items() if n < FEW_PROMPTS}
    if few:
        least = rate(0.5, min(few.values()), "")
        st.caption(
            f"Few prompts ({', '.join(f'{n} {NAMES[kind]}' for kind, n in few.items())}): the interval of a rate of "
            f"50 % at n = {least.n} goes from {least.low:.0%} to {least.high:.0%}. Bars whose lines overlap may "
            "differ by chance alone, and FULL may even lie above ES, which it contains.",
        )
    if len(tables) == 2:
        (second, before), (first, after) = tables.items()
        figure.show(rate_differences(rate_changes(after, before), first, second), key=f"{key}_difference")


def _apart(tables: Mapping[str, RobustnessTable]) -> list[str]:
    """Return what is counted apart, condition by condition."""
    return [
        f"{f'{title}, ' if len(tables) > 1 else ''}{result.condition}, {NAMES[kind]}: {found.apart}"
        for title, table in tables.items()
        for result in table.results
        for kind, found in result.by_kind().items()
        if found.apart
    ]
