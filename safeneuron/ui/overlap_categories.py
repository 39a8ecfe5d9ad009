"""What the safety neurons of the harm categories have in common."""

import streamlit as st

from safeneuron.overlap.categories import CategoryActivations, CategorySets, category_activations, dealt_out
from safeneuron.overlap.combinations import FORMULAS, overlap_ratios
from safeneuron.overlap.composition import composition
from safeneuron.overlap.intersections import intersections
from safeneuron.overlap.material import RECORD, Material
from safeneuron.overlap.matrix import jaccard_matrix
from safeneuron.overlap.readings import read_composition, read_intersections, read_matrix, read_ratios
from safeneuron.plots.category_matrix import jaccard_heatmap
from safeneuron.plots.composition import composition_by_layer
from safeneuron.plots.intersections import upset
from safeneuron.plots.overlap_ratio import overlap_ratio
from safeneuron.ui import figure, hand, overlap_layer, overlap_material, overlap_words
from safeneuron.ui.choice import Choice
from safeneuron.ui.work import long_work
from safeneuron.workspace import workspace

FORMULA_NAMES = {"union": "of all", "mean": "of the mean size"}


def show(choice: Choice, layer: int | None) -> None:
    """Draw composition, overlap ratio, similarity and intersections of the categories' sets."""
    material = overlap_material.chosen(choice.card)
    if not overlap_material.read(choice.card, material, [RECORD]):
        return
    with overlap_material.said():
        _sets(material, layer)


def _sets(material: Material, layer: int | None) -> None:
    found, dealt = _activations(material)
    for note in found.notes:
        st.caption(f":material/info: {note}")
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    which = row.segmented_control(
        "Set",
        ["FULL", "ES", "SAS"],
        default="FULL",
        required=True,
        key="overlap_which",
        help=overlap_words.CATEGORY_SETS,
    )
    names = row.multiselect("Categories", list(found.harmful), default=list(found.harmful), key="overlap_categories")
    thresholds = hand.thresholds()
    key = (str(workspace()), material.fingerprint, which, *thresholds.values())
    both = overlap_material.category_sets().get(key, lambda: [each.sets(thresholds, which) for each in (found, dealt)])
    sets, random = (each.only(names) for each in both)
    key = (*key, *names)
    if sets.empty:
        st.caption(f":material/info: No neuron is above the thresholds for: {', '.join(sets.empty)}.")
    divided = composition(sets)
    st.markdown(read_composition(divided))
    overlap_layer.clickable(composition_by_layer(divided, layer), key="overlap_composition")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _ratios(sets, random, key)
    with right:
        alike = overlap_material.results().get(("matrix", *key), lambda: jaccard_matrix(sets))
        st.markdown(read_matrix(alike))
        figure.show(jaccard_heatmap(alike), key="overlap_jaccard")
    largest = overlap_material.results().get(("intersections", *key), lambda: intersections(sets))
    st.markdown(read_intersections(largest))
    figure.show(upset(largest), key="overlap_upset")


def formula_menu(key: str) -> str:
    """Draw the choice between the two formulas of the overlap ratio."""
    return st.segmented_control(
        "Overlap ratio",
        FORMULAS,
        default=FORMULAS[0],
        format_func=FORMULA_NAMES.get,
        required=True,
        key=key,
        help=overlap_words.OVERLAP_FORMULA,
    )


def _ratios(sets: CategorySets, random: CategorySets, key: tuple) -> None:
    formula = formula_menu("overlap_formula")
    found, dealt = overlap_material.results().get(
        ("ratios", formula, *key), lambda: [overlap_ratios(each, formula) for each in (sets, random)]
    )
    st.markdown(read_ratios(found, formula, dealt))
    figure.show(overlap_ratio(found, formula, dealt), key="overlap_ratio")


def _activations(material: Material) -> tuple[CategoryActivations, CategoryActivations]:
    """Return the categories' means and variances, and those of the same prompts dealt out to them at random."""
    kept = overlap_material.activations()
    key = (str(workspace()), material.fingerprint)
    found = kept.peek(key)
    if found is None:
        with long_work("Comparing the categories", "overlap_categories", model=False) as progress:
            found = tuple(
                category_activations(material.model, *material.records(RECORD), categories, progress)
                for categories in (material.categories, dealt_out(material.categories))
            )
        kept.put(key, found)
    return found
