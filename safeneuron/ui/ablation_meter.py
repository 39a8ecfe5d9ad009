"""The refusal meter of the Ablation page, of one model or of two under the same ablation."""

import streamlit as st

from safeneuron.ablation.specification import Ablation, ablation_key
from safeneuron.models.card import ModelCard
from safeneuron.plots.refusal_meter import refusal_meter
from safeneuron.refusal.reading import Reading
from safeneuron.ui import figure, opening, refusal_words, resources
from safeneuron.ui.choice import Choice, short_name
from safeneuron.ui.work import compute

KINDS = {"harmful": True, "benign": False}


def show(choice: Choice, ablation: Ablation, name: str, means: "st.delta_generator.DeltaGenerator") -> None:
    """Show the panel's refusal scores under the ablation, beside those of the model as it is.

    Parameters
    ----------
    means : DeltaGenerator
        Where the means over the prompts stand; the prompts one by one come here.
    """
    readings = {short_name(choice.card.source): _reading(choice.card, ablation)}
    if choice.other and _can_be_read(choice.other):
        readings[short_name(choice.other.source)] = _reading(choice.other, ablation)
    first, *others = readings.values()
    # Beside each other on a narrow screen too, where columns would stand below each other.
    row = means.container(horizontal=True, gap="medium")
    columns = [row.container(width="content") for _ in KINDS]
    for column, (kind, harmful) in zip(columns, KINDS.items(), strict=True):
        column.metric(
            f"Mean log-odds, {first.count(harmful)} {kind} prompts",
            f"{first.average(harmful):+.2f}",
            f"{first.shift(harmful):+.2f} against ORI" if len(ablation) else None,
            delta_color="off",
            help=refusal_words.LOG_ODDS,
        )
        for other, reading in zip(list(readings)[1:], others, strict=True):
            column.metric(
                f"the same, {other}",
                f"{reading.average(harmful):+.2f}",
                f"{first.above(reading, harmful):+.2f}: {short_name(choice.card.source)} less this",
                delta_color="off",
                help="The compared model with the same neurons off. Differences are the model less the compared one.",
            )
    shown = refusal_meter(resources.panel_prompts()[0], readings, name if len(ablation) else None, ablation.done)
    figure.show(shown, key="refusal_meter")
    if len(ablation) and ablation.positions == "generated":
        st.caption("The meter reads prompts, which stay as they are here; the answers below show what changes.")


def _can_be_read(other: ModelCard) -> bool:
    """Say why the compared model's meter is not shown, where it cannot be."""
    if not other.ready:
        st.caption(f"{other.title} is not prepared on this machine yet; choose it as Model once to see its meter here.")
        return False
    return True


def _reading(card: ModelCard, ablation: Ablation) -> Reading:
    """Return the panel's scores as it is and ablated; what was computed before is there at once."""
    kept = resources.panel_scores()
    # Of generated tokens alone, it changes nothing that the meter reads.
    read = ablation if ablation.positions == "all" else None
    keys = [(card.fingerprint, str(ablation_key(ablated))) for ablated in (None, read)]
    if any(kept.peek(key) is None for key in keys):
        loaded = opening.opened(card)
        with st.spinner(f"Reading the panel's refusal scores, {card.title} …"), compute():
            panel = resources.panel_of(loaded)
            kept.put(keys[0], panel.original)
            kept.get(keys[1], lambda: panel.scores(read, _still_wanted))
    return Reading(kept.peek(keys[0]), kept.peek(keys[1]), resources.panel_prompts()[1])


def _still_wanted() -> bool:
    """Say that the scores are still wanted, if they are: when the person has moved on, Streamlit ends this run here."""
    return "set" in st.session_state
