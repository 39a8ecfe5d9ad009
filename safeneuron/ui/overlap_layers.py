"""How the layers' representations overlap: similarity, directions, subspaces and probes."""

import streamlit as st

from safeneuron import duration, pace
from safeneuron.overlap.material import STREAM, Material
from safeneuron.overlap.readings import read_layers, read_probes, read_transfer
from safeneuron.overlap.representation import Representation, kept_representation, represent
from safeneuron.plots.category_matrix import transfer_heatmap
from safeneuron.plots.layer_matrix import MEASURES, layer_matrix, measure_named
from safeneuron.plots.probe_accuracy import probe_accuracy
from safeneuron.ui import figure, overlap_layer, overlap_material, overlap_words
from safeneuron.ui.choice import Choice
from safeneuron.ui.work import long_work
from safeneuron.workspace import workspace


def show(choice: Choice, layer: int | None) -> None:
    """Draw what the layers' residual streams have in common."""
    material = overlap_material.chosen(choice.card, pooled=False)
    if not overlap_material.read(choice.card, material, [STREAM]):
        return
    with overlap_material.said():
        found = _representation(choice, material)
        if found:
            _draw(found, layer)


def _representation(choice: Choice, material: Material) -> Representation | None:
    kept = overlap_material.results()
    key = ("representation", str(workspace()), material.fingerprint)
    found = kept.peek(key) or kept_representation(material)
    if found is None and overlap_material.asked(
        " ".join(key), f"Compare the layers ({duration.of_representation(choice.card)})", "overlap_represent"
    ):
        with (
            pace.measured("representation", 1, choice.card),
            long_work("Comparing the layers", "overlap_represent", model=False) as progress,
        ):
            found = represent(material, progress)
        st.rerun()
    if found:
        kept.put(key, found)
    return found


def _draw(found: Representation, layer: int | None) -> None:
    name = st.selectbox(
        "Of every two layers",
        [measure.name for measure in MEASURES],
        format_func=lambda name: measure_named(name).title,
        key="overlap_measure",
        help=overlap_words.LAYERS_ALIKE,
        width=440,
    )
    measure = measure_named(name)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(read_layers(measure.values(found), measure.unit))
        overlap_layer.clickable(layer_matrix(found, measure, layer), key=f"overlap_matrix_{name}")
    with right:
        st.markdown(read_probes(found.probes))
        overlap_layer.clickable(probe_accuracy(found.probes, layer), key="overlap_probes")
    if found.categories:
        shown = found.probes.best if layer is None else layer
        st.markdown(read_transfer(found.categories, found.category_transfer[shown]))
        figure.show(transfer_heatmap(found.categories, found.category_transfer, shown), key="overlap_transfer")
    else:
        st.caption(":material/info: These prompts have fewer than two categories of harm, so nothing carries over.")
