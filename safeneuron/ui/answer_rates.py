"""Refusal rates of the Ablation page, side by side over the same prompts, filling up while answers are written."""

from collections.abc import Mapping, Sequence

import streamlit as st

from safeneuron.refusal.judge import Judge, Verdict
from safeneuron.refusal.rates import Rate, rate_of_verdicts
from safeneuron.ui import refusal_words

Verdicts = Mapping[str, Verdict]
"""By prompt."""


def show(judged: Mapping[str, Verdicts], prompts: Mapping[str, Sequence[str]], judge: Judge) -> None:
    """Show the rates of every condition, of the prompts that were answered under all of those begun."""
    columns = dict(zip(judged, st.columns(len(judged)), strict=True))
    for condition, column in columns.items():
        column.markdown(f"**{condition}**")
    left_out = 0
    for kind, asked in prompts.items():
        begun = [found for found in judged.values() if any(prompt in found for prompt in asked)]
        common = [prompt for prompt in asked if begun and all(prompt in found for found in begun)]
        left_out += sum(any(prompt in found for found in begun) for prompt in asked) - len(common)
        for condition, found in judged.items():
            if found in begun and common:
                _show_rate(columns[condition], kind, rate_of_verdicts([found[prompt] for prompt in common], judge.name))
    # Also when there is nothing to say: what an earlier drawing of this run said there would stay.
    note = st.empty()
    if left_out:
        note.caption(
            f"{left_out} more prompts are answered under some of these conditions only. Rates side by side are of the "
            "same prompts, and leave them out."
        )


def _show_rate(column: "st.delta_generator.DeltaGenerator", kind: str, rate: Rate) -> None:
    column.metric(f"{kind.capitalize()} refused", f"{rate.value:.0%}", help=refusal_words.REFUSAL_RATE)
    # The interval as a bar, to be seen narrowing.
    column.html(_bar(rate))
    apart = f"; {rate.apart}" if rate.apart else ""
    column.caption(
        f"n = {rate.n}, 95 % interval {rate.low:.0%} to {rate.high:.0%}, judge {rate.judge}{apart}",
        help=f"{refusal_words.JUDGE}\n\n{refusal_words.INCOHERENT}",
    )


def _bar(rate: Rate) -> str:
    """Return the interval, from 0 to 100 %, with the rate in it."""
    ends = f"left:{rate.low:.1%};right:calc(100% - {rate.high:.1%})"
    return (
        '<div style="position:relative;height:8px;background:#88888833;border-radius:4px;margin:0 0 0.3rem">'
        f'<div style="position:absolute;{ends};height:8px;background:#88888899;border-radius:4px"></div>'
        f'<div style="position:absolute;left:calc({rate.value:.1%} - 2px);width:4px;top:-2px;height:12px;'
        'background:currentColor;border-radius:2px"></div></div>'
    )
