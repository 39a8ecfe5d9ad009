"""Whether the same neurons would be found again: from other draws of prompts, and from fewer of them.

Bootstrap: each class is drawn anew with replacement, as many prompts as it has, and the safety neurons are found
again; the share of draws that find a neuron says how sure its membership is. Numbers of prompts: n of each class
are drawn without replacement, and the sets compared with that of all prompts, and with that of n others where there
are enough. The second comparison is the fair one: in the first, the draw is a part of what it is compared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.observations.record import ActivationRecord
from safeneuron.overlap.keeping import keep_arrays, kept_arrays
from safeneuron.overlap.material import Material, recorded
from safeneuron.overlap.two_sets import require_neurons
from safeneuron.progress import Progress, silent
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.statistics import ActivationStatistics

DRAWS, PAIRS = 100, 20
"""Bootstrap draws, and pairs of draws of each number of prompts."""
SMALLEST = 8
SURE = 0.95
"""Share of the draws from which on a neuron's membership counts as sure."""
SEED = 0


@dataclass(frozen=True)
class Stability:
    """Agreement of safety neurons found from different draws of prompts; all by the Jaccard index.

    Parameters
    ----------
    bootstrap : numpy.ndarray
        ``[n_draws]``, of each draw's set with that of all prompts; not a number where both are empty.
    frequency : numpy.ndarray
        ``[n_layers, d_mlp]``, share of the draws in whose set a neuron is.
    sizes : numpy.ndarray
        ``[n_sizes]``, prompts of each class.
    with_all, with_each_other : numpy.ndarray
        ``[n_sizes, n_pairs]``, with the set of all prompts, and with that of as many others; the second is not a
        number where there are not twice as many prompts.
    """

    bootstrap: np.ndarray
    frequency: np.ndarray
    sizes: np.ndarray
    with_all: np.ndarray
    with_each_other: np.ndarray

    @property
    def spread(self) -> tuple[float, float]:
        """Between which Jaccard indices 95 % of the bootstrap draws lie; not numbers where every set is empty."""
        if np.isnan(self.bootstrap).all():
            return np.nan, np.nan
        low, high = np.nanquantile(self.bootstrap, [0.025, 0.975])
        return float(low), float(high)

    def found_again(self, chosen: NeuronSet) -> np.ndarray:
        """Return in which share of the draws each of a set's neurons is found ``[n_neurons]``, sorted by neuron.

        Raises
        ------
        UserError
            When the set is empty.
        """
        require_neurons(chosen)
        return self.frequency[chosen.mask()]

    def sure(self, chosen: NeuronSet) -> int:
        """Return how many of a set's neurons are found in at least :data:`SURE` of the draws."""
        return int((self.found_again(chosen) >= SURE).sum())


def kept_stability(material: Material, thresholds: Mapping[str, float]) -> Stability | None:
    """Return what :func:`stability` computed before, or None."""
    found = kept_arrays(*_depends(material, thresholds))
    return None if found is None else Stability(**found)


def stability(material: Material, thresholds: Mapping[str, float], progress: Progress = silent) -> Stability:
    """Return how stable FULL is under these thresholds, from the kept record.

    Raises
    ------
    UserError
        When the prompts were not read yet, or a class has fewer than :data:`SMALLEST`.
    """
    kept = kept_stability(material, thresholds)
    if kept is not None:
        return kept
    found = resampled(*recorded(material), thresholds, progress)
    keep_arrays(vars(found), *_depends(material, thresholds))
    return found


def resampled(
    harmful: ActivationRecord, benign: ActivationRecord, thresholds: Mapping[str, float], progress: Progress = silent
) -> Stability:
    """Return how stable FULL is; see :func:`stability`. One layer is in memory at a time."""
    counts = len(harmful.prompts), len(benign.prompts)
    if min(counts) < SMALLEST:
        raise UserError(
            f"Stability is measured on {SMALLEST} or more prompts of each class, and there are {counts[0]} and "
            f"{counts[1]}; give more."
        )
    plan = _plan(counts)
    _, layers, width = harmful.shape
    shared, either = np.zeros((2, len(plan.pairs)))
    frequency = np.empty((layers, width))
    for layer in range(layers):
        progress("Finding the safety neurons again from other prompts", layer / layers)
        # In the order of the alphabet, so that nothing depends on the order in a file.
        rows = [record.layer(layer)[np.argsort(record.prompts)] for record in (harmful, benign)]
        members = np.concatenate([_members(*rows, *weights, thresholds) for weights in plan.weights])
        one, two = members[plan.pairs[:, 0]], members[plan.pairs[:, 1]]
        shared += (one & two).sum(axis=1)
        either += (one | two).sum(axis=1)
        frequency[layer] = members[1 : 1 + DRAWS].mean(axis=0)
    progress("Finding the safety neurons again from other prompts", 1.0)
    jaccard = np.divide(shared, either, out=np.full(len(shared), np.nan), where=either > 0)
    with_all, with_each_other = jaccard[DRAWS:].reshape(2, len(plan.sizes), PAIRS)
    with_each_other = np.where(2 * plan.sizes[:, None] <= min(counts), with_each_other, np.nan)
    return Stability(jaccard[:DRAWS], frequency, plan.sizes, with_all, with_each_other)


@dataclass(frozen=True)
class _Plan:
    """Which prompts each draw has, and which draws are compared.

    ``weights``: for each group of draws of one size a pair of arrays ``[n_draws, n_prompts]``, harmful and benign.
    ``pairs``: ``[n_pairs, 2]``, numbers of draws over all groups, of which 0 has all prompts.
    """

    sizes: np.ndarray
    weights: list[tuple[np.ndarray, np.ndarray]]
    pairs: np.ndarray


def _plan(counts: tuple[int, int]) -> _Plan:
    generator = np.random.default_rng(SEED)
    least = min(counts)
    # Up to half of the prompts, so that there are as many others; and all.
    half = np.geomspace(SMALLEST, max(SMALLEST, least // 2), 5).round().astype(int)
    sizes = np.unique(np.append(half, least))
    weights = [
        tuple(np.ones((1, count)) for count in counts),
        tuple(generator.multinomial(count, np.full(count, 1 / count), DRAWS).astype(float) for count in counts),
    ]
    pairs = [_beside(np.zeros(DRAWS, dtype=int), 1)]
    row = 1 + DRAWS
    with_each_other = []
    for size in sizes:
        orders = [generator.permuted(np.tile(np.arange(count), (PAIRS, 1)), axis=1) for count in counts]
        # Where there are not twice as many, the second draw overlaps the first, and is not looked at.
        for start in (0, min(size, least - size)):
            chosen = (order[:, start : start + size] for order in orders)
            weights.append(tuple(_indicator(rows, count) for rows, count in zip(chosen, counts, strict=True)))
        pairs.append(_beside(np.zeros(PAIRS, dtype=int), row))
        with_each_other.append(_beside(np.arange(row, row + PAIRS), row + PAIRS))
        row += 2 * PAIRS
    return _Plan(sizes, weights, np.concatenate(pairs + with_each_other))


def _beside(first: np.ndarray, second: int) -> np.ndarray:
    """Return draws ``[n]`` paired with as many that follow each other from number ``second`` on ``[n, 2]``."""
    return np.stack([first, second + np.arange(len(first))], axis=1)


def _indicator(rows: np.ndarray, count: int) -> np.ndarray:
    """Return 1 for the chosen rows and 0 for others ``[n_draws, count]``, from their numbers ``[n_draws, n_rows]``."""
    found = np.zeros((len(rows), count))
    np.put_along_axis(found, rows, 1.0, axis=1)
    return found


def _members(
    harmful: np.ndarray,
    benign: np.ndarray,
    of_harmful: np.ndarray,
    of_benign: np.ndarray,
    thresholds: Mapping[str, float],
) -> np.ndarray:
    """Return FULL of one layer for every draw ``[n_draws, d_mlp]``, boolean."""
    # A score's second axis is a layer's neurons, so that draws may stand where layers do.
    table = ScoreTable("", _moments(harmful, of_harmful), _moments(benign, of_benign))
    return np.logical_or.reduce([table.values(name) > thresholds[name] for name in identifying_scores()])


def _moments(rows: np.ndarray, weights: np.ndarray) -> ActivationStatistics:
    """Return mean and variance of each draw's prompts ``[n_draws, d_mlp]``; each draw has as many."""
    rows = rows.astype(np.float64)
    centre = rows.mean(axis=0)
    rows = rows - centre
    count = int(weights[0].sum())
    mean = weights @ rows / count
    variance = (weights @ rows**2 - count * mean**2) / (count - 1)
    return ActivationStatistics(count, centre + mean, np.maximum(variance, 0.0), "", "")


def _depends(material: Material, thresholds: Mapping[str, float]) -> tuple:
    return "stability", material.fingerprint, sorted(thresholds.items())
