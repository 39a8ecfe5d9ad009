"""What moved from the chosen model to those beside it: neurons and layers, categories, probes, or writing.

Each reads and computes only what it needs itself; a whole analysis is the background's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from safeneuron.models.card import ModelCard
from safeneuron.overlap.material import RECORD, STREAM, Material
from safeneuron.overlap.moved import Moved, moved
from safeneuron.overlap.moved_categories import moved_categories
from safeneuron.overlap.moved_probes import moved_probes, probes_kept
from safeneuron.overlap.moved_writing import moved_writing
from safeneuron.overlap.readings_of_runs import (
    read_moved,
    read_moved_categories,
    read_moved_probes,
    read_moved_writing,
)
from safeneuron.overlap.writing import write_out, writing_is_kept
from safeneuron.plots.drift import drift_by_layer
from safeneuron.plots.kept_by_layer import kept_by_layer
from safeneuron.plots.moved_categories import kept_by_category, ratios_by_model
from safeneuron.plots.moved_probes import probes_by_model
from safeneuron.plots.moved_writing import writing_by_model
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.ui import figure, hand, opening, overlap_layer, overlap_material, overlap_words
from safeneuron.ui.choice import short_name
from safeneuron.ui.overlap_categories import formula_menu
from safeneuron.ui.overlap_writing import reading_menu
from safeneuron.ui.work import long_work
from safeneuron.workspace import workspace


@dataclass(frozen=True)
class Beside:
    """The chosen model and those beside it that have read the prompts, with what was read.

    Parameters
    ----------
    card : ModelCard
    material : Material
    cards : tuple of ModelCard
    others : mapping of str to Material
        By the name under which a model is shown.
    layer : int or None
        The one that is marked.
    """

    card: ModelCard
    material: Material
    cards: tuple[ModelCard, ...]
    others: Mapping[str, Material]
    layer: int | None

    @property
    def title(self) -> str:
        """Under which the chosen model is shown."""
        return short_name(self.card.source)

    def result(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what is made of all models under the thresholds as they stand; made once."""
        key = (name, str(workspace()), self.material.fingerprint, *hand.thresholds().items())
        return overlap_material.results().get((*key, *(one.fingerprint for one in self.others.values())), make)


def _neurons(beside: Beside) -> None:
    found = beside.result("moved", lambda: moved(beside.material, beside.others, hand.thresholds()))
    titles = {short_name(card.source): card.title for card in beside.cards}
    st.markdown(read_moved(found))
    st.dataframe(
        [_row(one, titles[one.title]) for one in found],
        hide_index=True,
        column_config={
            "Jaccard index": st.column_config.NumberColumn(format="%.2f"),
            "by chance": st.column_config.NumberColumn(format="%.4f", help=overlap_words.CHANCE),
            "p": st.column_config.NumberColumn(format="%.1e", help=overlap_words.CHANCE),
            "mean depth": st.column_config.NumberColumn(format="%.2f"),
            **{
                name: st.column_config.NumberColumn(format="%.3f", help=overlap_words.OVERLAP_RUNS)
                for name in ("CKA, harmful", "CKA, benign", "direction's cosine")
            },
        },
    )
    overlap_layer.clickable(kept_by_layer(found, beside.layer), key="overlap_kept")
    overlap_layer.clickable(drift_by_layer(found, beside.title, beside.layer), key="overlap_drift")


def _row(one: Moved, title: str) -> dict[str, str | float | None]:
    overlap = one.overlap
    means = zip(("CKA, harmful", "CKA, benign", "direction's cosine"), one.means, strict=True)
    return {
        "model": one.title,
        "which is": title,
        "safety neurons": one.own.total,
        "kept": None if overlap is None else f"{overlap.total_shared:,} of {one.base.total:,}",
        "Jaccard index": None if overlap is None else overlap.whole_jaccard,
        "by chance": None if overlap is None else overlap.whole.jaccard,
        "p": None if overlap is None else overlap.whole.p,
        "mean depth": one.own.centre,
    } | dict(means)


def _categories(beside: Beside) -> None:
    def made() -> Any:
        base = beside.title, beside.material
        with long_work("Comparing the categories", "overlap_moved", model=False) as progress:
            return moved_categories(base, beside.others, hand.thresholds(), progress)

    found = beside.result("moved categories", made)
    for note in found.notes:
        st.caption(f":material/info: {note}")
    formula = formula_menu("overlap_moved_formula")
    st.markdown(read_moved_categories(found, formula))
    totals = [{"model": one.title, **one.composition.totals} for one in (found.base, *found.others)]
    st.dataframe(totals, hide_index=True)
    if found.others:
        figure.show(kept_by_category(found.others), key="overlap_kept_by_category")
    figure.show(ratios_by_model(found, formula), key="overlap_ratios_by_model")


def _probes(beside: Beside) -> None:
    if not probes_kept(beside.material, beside.others):
        name = " ".join(["moved probes", beside.material.fingerprint, *beside.others])
        text = f"Fit the probes of {1 + len(beside.others)} models, and try the first one's on the others"
        if not overlap_material.asked(name, text, "overlap_carry"):
            st.caption("From what was read already: some ten seconds a model as small as the default one. It is kept.")
            return
        with long_work("Fitting the probes", "overlap_carry", model=False) as progress:
            moved_probes(beside.material, beside.others, progress)
        st.rerun()
    found = beside.result("moved probes", lambda: moved_probes(beside.material, beside.others))
    st.markdown(read_moved_probes(found))
    overlap_layer.clickable(probes_by_model(found, beside.title, beside.layer), key="overlap_moved_probes")


def _writing(beside: Beside) -> None:
    every = dict(zip((beside.card, *beside.cards), (beside.material, *beside.others.values()), strict=True))
    waiting = [card for card, material in every.items() if not writing_is_kept(material)]
    if waiting:
        name = " ".join(["moved writing", *(card.fingerprint for card in waiting)])
        text = f"Add up what the neurons of {len(waiting)} {'model writes' if len(waiting) == 1 else 'models write'}"
        if not overlap_material.asked(name, text, "overlap_write_all"):
            return
        for card in waiting:
            loaded = opening.opened(card)
            with long_work(f"Adding up what the neurons of {card.title} write", "overlap_write_all") as progress:
                write_out(loaded, every[card], progress)
        st.rerun()
    reading = reading_menu("overlap_moved_reading")
    base = beside.title, beside.material
    found = beside.result(
        f"moved writing {reading}", lambda: moved_writing(base, beside.others, hand.thresholds(), reading)
    )
    st.markdown(read_moved_writing(found))
    drawn = writing_by_model(found, reading, beside.layer)
    overlap_layer.clickable(drawn, key=f"overlap_moved_{reading}")


@dataclass(frozen=True)
class Kind:
    """One kind of what may have moved: what has to be read of every model for it, and what draws it."""

    needs: tuple[str, ...]
    draw: Callable[[Beside], None]


KINDS = {
    "Neurons and layers": Kind((ACTIVATIONS, STREAM), _neurons),
    "Categories": Kind((RECORD,), _categories),
    "Probes": Kind((STREAM,), _probes),
    "Writing": Kind((RECORD, STREAM, ACTIVATIONS), _writing),
}
