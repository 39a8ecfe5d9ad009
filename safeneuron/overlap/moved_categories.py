"""What training moved in each category's safety neurons: how many are shared, and which are still the same.

For each of several models of one shape, on the same prompts as the base: how its categories' neurons divide and
overlap (``composition.py``, ``combinations.py``; the paper's Fig. 3 and 5), and each category's set beside the base's
set of that category.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.overlap.categories import CategorySets, category_activations
from safeneuron.overlap.chance import Chance, chance_of
from safeneuron.overlap.combinations import FORMULAS, OverlapRatio, overlap_ratios
from safeneuron.overlap.composition import Composition, composition
from safeneuron.overlap.material import Material, recorded
from safeneuron.overlap.two_sets import require_one_shape
from safeneuron.progress import Progress, silent


@dataclass(frozen=True)
class SharedWithBase:
    """One category's set in one model beside the base's set of the same category.

    Parameters
    ----------
    base, own, shared : int
        Neurons of the base's set, of the model's, of both.
    chance : Chance
        Of random sets with as many neurons in each layer.
    """

    base: int
    own: int
    shared: int
    chance: Chance

    @property
    def jaccard(self) -> float:
        """Shared of those in either; not a number where neither has a neuron."""
        either = self.base + self.own - self.shared
        return self.shared / either if either else np.nan


@dataclass(frozen=True)
class CategoriesOf:
    """The categories' safety neurons of one model.

    Parameters
    ----------
    title : str
    composition : Composition
    ratios : dict of str to tuple of OverlapRatio
        By formula, for each K from 2 on.
    shared : dict of str to SharedWithBase
        By category; empty for the base itself.
    """

    title: str
    composition: Composition
    ratios: Mapping[str, tuple[OverlapRatio, ...]]
    shared: Mapping[str, SharedWithBase]


@dataclass(frozen=True)
class MovedCategories:
    """The categories of the base and of the models beside it.

    Parameters
    ----------
    base : CategoriesOf
    others : tuple of CategoriesOf
    notes : tuple of str
        A sentence for each category or model that is left out, and for what is uncertain.
    """

    base: CategoriesOf
    others: tuple[CategoriesOf, ...]
    notes: tuple[str, ...]


def moved_categories(
    base: tuple[str, Material],
    others: Mapping[str, Material],
    thresholds: Mapping[str, float],
    progress: Progress = silent,
) -> MovedCategories:
    """Return the categories' safety neurons (FULL) of the base, and of each model by its title.

    Raises
    ------
    UserError
        When the prompts were not read yet, fewer than two categories have enough, the models differ in shape, or the
        base has no neuron above the thresholds.
    """
    title, material = base
    activations = category_activations(material.model, *recorded(material), material.categories, progress)
    own, notes, found = activations.sets(thresholds), list(activations.notes), []
    for other, theirs in others.items():
        beside = category_activations(theirs.model, *recorded(theirs), theirs.categories, progress)
        require_one_shape(other, beside.benign.mean.shape, own.masks.shape[1:])
        try:
            sets = beside.sets(thresholds)
        except UserError as error:
            # One model without safety neurons is no reason to keep the others back.
            notes.append(f"{other}: {error}")
        else:
            found.append(_described(other, sets, own))
    return MovedCategories(_described(title, own), tuple(found), tuple(notes))


def _described(title: str, sets: CategorySets, base: CategorySets | None = None) -> CategoriesOf:
    # The prompts and their categories are the same for all models, and so are the rows.
    rows = [] if base is None else zip(sets.names, base.masks, sets.masks, strict=True)
    shared = {name: _shared(*masks) for name, *masks in rows}
    ratios = {formula: overlap_ratios(sets, formula) for formula in FORMULAS}
    return CategoriesOf(title, composition(sets), ratios, shared)


def _shared(base: np.ndarray, own: np.ndarray) -> SharedWithBase:
    return SharedWithBase(int(base.sum()), int(own.sum()), int((base & own).sum()), chance_of(base, own))
