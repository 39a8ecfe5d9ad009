"""The refusal meter of the Ablation page."""

from typing import TYPE_CHECKING

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.plots.refusal_meter import refusal_meter
from safeneuron.ui import figure, resources, words
from safeneuron.ui.work import compute

if TYPE_CHECKING:
    import numpy as np

    from safeneuron.models.loaded import LoadedModel


def show(loaded: "LoadedModel", off: NeuronSet, name: str) -> None:
    """Show the panel's refusal scores with the neurons off, beside those of the model as it is."""
    prompts, harmful = resources.panel_prompts()
    original, ablated = _scores(loaded, off)
    columns = st.columns(2)
    for column, kind, wanted in ((columns[0], "harmful", True), (columns[1], "benign", False)):
        rows = [number for number, is_harmful in enumerate(harmful) if is_harmful == wanted]
        now, before = ablated[rows].mean(), original[rows].mean()
        column.metric(
            f"Mean log-odds, {len(rows)} {kind} prompts",
            f"{now:+.2f}",
            f"{now - before:+.2f} against ORI" if len(off) else None,
            delta_color="off",
            help=words.LOG_ODDS,
        )
    figure.show(refusal_meter(prompts, harmful, original, ablated, name), key="refusal_meter")


def _scores(loaded: "LoadedModel", off: NeuronSet) -> "tuple[np.ndarray, np.ndarray]":
    """Return the panel's scores as it is and ablated; what was computed before is there at once."""
    kept = resources.panel_scores()
    keys = [(loaded.fingerprint, neurons) for neurons in (frozenset(), off.neurons)]
    if any(kept.peek(key) is None for key in keys):
        with st.spinner("Reading the panel's refusal scores …"), compute():
            panel = resources.panel_of(loaded)
            kept.put(keys[0], panel.original)
            kept.get(keys[1], lambda: panel.scores(off))
    return kept.peek(keys[0]), kept.peek(keys[1])
