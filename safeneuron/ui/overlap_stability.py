"""Whether other prompts, or the same ones read or worded otherwise, would give the same safety neurons."""

import streamlit as st

from safeneuron import duration, pace
from safeneuron.overlap.chance import chance_of
from safeneuron.overlap.material import RECORD, Material
from safeneuron.overlap.readings_of_change import read_stability, read_variations
from safeneuron.overlap.stability import kept_stability, stability
from safeneuron.overlap.variations import Variation, found_again, read_varied, variations
from safeneuron.plots.stability import membership, prompts_needed
from safeneuron.plots.variations import agreement_of_variations
from safeneuron.prompts.wordings import SYSTEM_PROMPTS, WORDINGS
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.ui import figure, hand, opening, overlap_material, overlap_words, resources, work
from safeneuron.ui.choice import Choice
from safeneuron.workspace import workspace

ALL = "all"


def show(choice: Choice, layer: int | None) -> None:
    """Draw agreement against the number of prompts, and how sure each neuron is."""
    material = overlap_material.chosen(choice.card)
    if not overlap_material.read(choice.card, material, [RECORD, ACTIVATIONS]):
        return
    with overlap_material.said():
        _resampled(material)
    with overlap_material.said():
        _variations(choice, material)


def _resampled(material: Material) -> None:
    thresholds = hand.thresholds()
    found = kept_stability(material, thresholds)
    if found is None:
        name = f"stability {material.fingerprint} {sorted(thresholds.items())}"
        text = "Find the safety neurons again from other prompts"
        if overlap_material.asked(name, text, "overlap_resample"):
            with work.long_work("Finding the safety neurons again", "overlap_resample", model=False) as progress:
                stability(material, thresholds, progress)
            st.rerun()
        st.caption("From what was read already: some seconds for the default model. Kept for these thresholds.")
        return
    full = material.table().select(thresholds)["FULL"]
    st.markdown(read_stability(found, full), help=overlap_words.STABLE)
    left, right = st.columns(2, gap="medium")
    with left:
        figure.show(prompts_needed(found, chance_of(full.mask(), full.mask()).jaccard), key="overlap_prompts_needed")
    with right:
        figure.show(membership(found, full), key="overlap_membership")


def _variations(choice: Choice, material: Material) -> None:
    st.markdown("**Read elsewhere, in other words, with another system prompt**", help=overlap_words.VARIATIONS)
    every = variations(choice.card, material)
    read = [one for one in every if not one.left]
    if read:
        thresholds = hand.thresholds()
        key = ("variations", str(workspace()), material.fingerprint, *thresholds.items())
        key = (*key, *(one.material.fingerprint for one in read))
        found = overlap_material.results().get(key, lambda: found_again(material, read, thresholds))
        resampled = kept_stability(material, thresholds)
        st.markdown(read_variations(found))
        count = len(material.table().select(thresholds)["FULL"])
        drawn = agreement_of_variations(found, count, resampled and resampled.spread)
        figure.show(drawn, key="overlap_variations")
    waiting = [one for one in every if one.left]
    if waiting:
        _offer(choice, material, waiting)
    with st.expander("The wordings and system prompts", icon=":material/format_quote:"):
        for title, texts in (("Wordings", WORDINGS), ("System prompts", SYSTEM_PROMPTS)):
            st.markdown(f"**{title}**")
            st.dataframe([{"name": name, "text": text} for name, text in texts.items()], hide_index=True)
        st.caption("A system prompt of your own: save it as a chat format on the Model page, and it is tried here too.")


def _offer(choice: Choice, material: Material, waiting: list[Variation]) -> None:
    """Offer to read what is missing, one kind of variation at a time or all, and do it once it was asked for."""
    st.caption(f"Not tried yet: {', '.join(f'{one.kind} {one.name}' for one in waiting)}.")
    kind = st.segmented_control(
        "Try",
        [ALL, *dict.fromkeys(one.kind for one in waiting)],
        default=ALL,
        required=True,
        key="overlap_variation_kind",
    )
    wanted = [one for one in waiting if kind in (ALL, one.kind)]
    count = sum(one.left for one in wanted)
    name = f"variations {material.fingerprint} {kind}"
    cost = duration.of_reading(count, choice.card, resources.shelf().holds(choice.card))
    if not work.asked(
        name, f"Read {count:,} prompts ({cost})", "overlap_vary", type="primary", icon=":material/play_arrow:"
    ):
        return
    opening.opened(choice.card)
    work.begun()
    with pace.measured("reading", count, choice.card), work.long_work("Reading otherwise", "overlap_vary") as progress:
        read_varied(resources.shelf().get(choice.card.plain or choice.card, progress), wanted, progress)
    st.rerun()
