"""What the Overlap page's numbers are made of: the choice of prompts, and reading them, with the cost stated first."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from safeneuron import duration, pace
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import SCORING
from safeneuron.models.parameters import architecture_of
from safeneuron.overlap.material import RECORD, STREAM, Material, material_of, read_material
from safeneuron.overlap.start import bytes_to_keep
from safeneuron.prompts.choices import choices
from safeneuron.sizes import size_words
from safeneuron.statistics import POOLINGS
from safeneuron.ui import fitting, opening, own_prompts, resources, words, work
from safeneuron.ui.choice import label
from safeneuron.ui.resources import Kept


def chosen(card: ModelCard, pooled: bool = True) -> Material:
    """Draw the menus of prompts and, where it matters, of the token that activations are read at.

    The same choices as on the Neurons page, which the address carries.
    """
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    prompts = row.selectbox(
        "Prompts",
        choices(),
        key="prompts",
        help=words.SCORED_PROMPTS,
        width=330,
    )
    pooling = POOLINGS[0]
    if pooled:
        pooling = row.selectbox("Read at", POOLINGS, key="pooling", help=words.POOLING, width=110)
    own_prompts.show(row)
    return material_of(card.fingerprint, pooling, prompts)


def read(card: ModelCard, material: Material, names: Collection[str] = (RECORD, STREAM)) -> bool:
    """Return whether the prompts were read; if not, offer it with what it takes, and do it once it was asked for."""
    count = material.prompts_to_read(names)
    if not count:
        return True
    fitting.require(card, SCORING)
    name = f"overlap {material.fingerprint} {sorted(names)}"
    above = st.container()
    if not work.asked(
        name,
        f"Read the prompts ({duration.of_reading(count, card, resources.shelf().holds(card))})",
        f"overlap_read_{card.fingerprint}",
        type="primary",
        icon=":material/play_arrow:",
    ):
        above.info(
            f"For this part **{label(card)}** reads {count:,} prompts once, and keeps every prompt's numbers in the "
            f"workspace: {_size(card, material, names)}.",
            icon=":material/query_stats:",
        )
        return False
    loaded = opening.opened(card)
    work.begun()
    with pace.measured("reading", count, card), work.long_work(f"Reading with {card.title}", "overlap") as progress:
        read_material(loaded, material, names, progress)
    st.rerun()


def _size(card: ModelCard, material: Material, names: Collection[str]) -> str:
    size = size_words(bytes_to_keep(card, material, set(names)))
    return size if architecture_of(card) or STREAM not in names else f"at most {size}"


def asked(name: str, text: str, key: str) -> bool:
    """Return whether a work is to begin now: it was asked for, and is forgotten as such; else draw its button."""
    if not work.asked(name, text, key, type="primary", icon=":material/play_arrow:"):
        return False
    work.begun()
    return True


@contextmanager
def said() -> Iterator[None]:
    """Say what is wrong with one plot's input in its place, and let the page go on."""
    try:
        yield
    except UserError as error:
        st.warning(str(error), icon=":material/error:")


@st.cache_resource(show_spinner=False)
def results() -> Kept[Any]:
    """Return what was last computed from kept numbers, by all that it depends on."""
    return Kept(32)


@st.cache_resource(show_spinner=False)
def activations() -> Kept[Any]:
    """Return the categories' means and variances of the model looked at last; a large model's take a gigabyte."""
    return Kept(1)


@st.cache_resource(show_spinner=False)
def category_sets() -> Kept[Any]:
    """Return the categories' sets under the thresholds last asked for."""
    return Kept(4)
