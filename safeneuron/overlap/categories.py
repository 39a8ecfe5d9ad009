"""The safety neurons of each category of harm: its prompts against all benign ones.

The paper finds its sets for each of ten categories of HarmfulQA (arXiv 2602.12158, section 4.5); the
benign class is the same for all. Everything comes from the kept per-prompt record: no new pass.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.observations.record import ActivationRecord
from safeneuron.progress import Progress, silent
from safeneuron.scores.score import ScoreTable
from safeneuron.statistics import ActivationStatistics

FEWEST = 8
"""Prompts that a category needs: the variance of fewer says next to nothing."""
UNCERTAIN = 30
"""Below so many prompts the sets of a category are said to be uncertain."""
_BENIGN = ""


@dataclass(frozen=True)
class CategoryActivations:
    """Mean and variance of every neuron on each category's prompts, and on all benign ones.

    Parameters
    ----------
    model : str
        Fingerprint.
    harmful : mapping of str to ActivationStatistics
        By category, those with enough prompts, in order of the alphabet.
    benign : ActivationStatistics
    notes : tuple of str
        A sentence for each thing that a reader of the sets should know.
    """

    model: str
    harmful: Mapping[str, ActivationStatistics]
    benign: ActivationStatistics
    notes: tuple[str, ...] = ()

    def sets(self, thresholds: Mapping[str, float], which: str = "FULL") -> "CategorySets":
        """Return every category's safety neurons.

        Parameters
        ----------
        thresholds : mapping of str to float
            By score; those left out take the score's default.
        which : str
            "FULL", or the name of an identifying score.
        """
        found = {
            name: ScoreTable(self.model, statistics, self.benign).select(thresholds)[which]
            for name, statistics in self.harmful.items()
        }
        return CategorySets(self.model, tuple(found), np.stack([chosen.mask() for chosen in found.values()]), which)


@dataclass(frozen=True)
class CategorySets:
    """One neuron set for each category.

    Parameters
    ----------
    model : str
        Fingerprint.
    names : tuple of str
        Of the categories.
    masks : numpy.ndarray
        ``[n_categories, n_layers, d_mlp]``, boolean.
    which : str
        Which set of each category these are: FULL, ES or SAS.
    """

    model: str
    names: tuple[str, ...]
    masks: np.ndarray
    which: str = "FULL"

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise UserError("Overlap is between categories, and there is only one; choose at least two.")
        if not self.masks.any():
            raise UserError(
                f"No category has a neuron in {self.which} under these thresholds, so there is nothing to compare; "
                "lower the thresholds."
            )

    @property
    def sizes(self) -> np.ndarray:
        """Number of neurons of each category ``[n_categories]``."""
        return self.masks.sum(axis=(1, 2))

    @property
    def empty(self) -> tuple[str, ...]:
        """Names of the categories without a neuron."""
        return tuple(name for name, size in zip(self.names, self.sizes, strict=True) if not size)

    def only(self, names: Sequence[str]) -> "CategorySets":
        """Return the sets of some of the categories.

        Raises
        ------
        UserError
            When fewer than two are named, or one is not there.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise UserError(f"There is no category {unknown[0]!r}; choose of: {', '.join(self.names)}.")
        rows = [row for row, name in enumerate(self.names) if name in names]
        return CategorySets(self.model, tuple(self.names[row] for row in rows), self.masks[rows], self.which)

    def set_of(self, name: str) -> NeuronSet:
        """Return one category's set."""
        mask = self.masks[self.names.index(name)]
        return from_mask(f"{self.which} of {name}", self.model, mask, {"category": name, "set": self.which})


def category_activations(
    model: str,
    harmful: ActivationRecord,
    benign: ActivationRecord,
    categories: Mapping[str, str],
    progress: Progress = silent,
) -> CategoryActivations:
    """Return each category's means and variances, read from disk one layer at a time.

    Parameters
    ----------
    model : str
        Fingerprint.
    harmful, benign : ActivationRecord
    categories : mapping of str to str
        The category of each harmful prompt; prompts without one are left out.

    Raises
    ------
    UserError
        When fewer than two categories have :data:`FEWEST` prompts.
    """
    every = rows_of(harmful.prompts, categories)
    rows = {name: found for name, found in every.items() if len(found) >= FEWEST}
    check_categories(rows)
    notes = [
        f"{name} has {len(found)} {'prompt' if len(found) == 1 else 'prompts'} and is left out: a category needs at "
        f"least {FEWEST}."
        for name, found in every.items()
        if name not in rows
    ]
    few = [name for name, found in rows.items() if len(found) < UNCERTAIN]
    if few:
        notes.append(f"Sets of few prompts are uncertain: {', '.join(few)} have fewer than {UNCERTAIN}.")
    mean = {name: np.empty(harmful.shape[1:]) for name in (*rows, _BENIGN)}
    variance = {name: np.empty(harmful.shape[1:]) for name in mean}
    layers = harmful.shape[1]
    for layer in range(layers):
        progress("Comparing the categories' activations", layer / layers)
        values = harmful.layer(layer).astype(np.float64)
        parts = {name: values[chosen] for name, chosen in rows.items()}
        for name, part in (parts | {_BENIGN: benign.layer(layer).astype(np.float64)}).items():
            mean[name][layer], variance[name][layer] = part.mean(axis=0), part.var(axis=0, ddof=1)
    progress("Comparing the categories' activations", 1.0)
    counts = {name: len(found) for name, found in rows.items()} | {_BENIGN: len(benign.prompts)}
    statistics = {
        name: ActivationStatistics(counts[name], mean[name], variance[name], harmful.pooling, f"{name} of {model}")
        for name in mean
    }
    return CategoryActivations(model, {name: statistics[name] for name in rows}, statistics[_BENIGN], tuple(notes))


def rows_of(prompts: Sequence[str], categories: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return which prompts belong to each category, by name; categories in order of the alphabet."""
    labels = np.array([categories.get(prompt, "") for prompt in prompts])
    return {str(name): np.flatnonzero(labels == name) for name in np.unique(labels) if name}


def check_categories(names: Collection[str]) -> None:
    """Refuse fewer than two categories with enough prompts.

    Raises
    ------
    UserError
        Saying how many there are.
    """
    if len(names) < 2:
        raise UserError(
            f"Categories of harm are compared, and these prompts have {'only one' if names else 'none'} with at least "
            f"{FEWEST} prompts; choose prompts of two or more categories."
        )


def dealt_out(categories: Mapping[str, str], seed: int = 0) -> dict[str, str]:
    """Return the same prompts with their categories dealt out at random: groups of the same sizes that mean nothing."""
    prompts = sorted(categories)
    labels = np.random.default_rng(seed).permutation([categories[prompt] for prompt in prompts])
    return dict(zip(prompts, labels.tolist(), strict=True))
