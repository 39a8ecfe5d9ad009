"""How sure an effect size is: permutation p-values, q-values over all neurons, and bootstrap intervals.

The paper's Theorem 3.1 gives no calibrated error rate for d: its bound holds for the t-statistic
d sqrt(n_h n_b / (n_h + n_b)), so the same threshold on d is a different test for every number of
prompts (paper.md 1.3). A permutation test needs no formula: were the label of no account, every way of
handing the labels out to the prompts would be as likely as the one at hand. What is tested is thus that
a neuron's activation has the same distribution on both classes, against larger activations on harmful
prompts. It says nothing of size: with many prompts a tiny d is significant.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.observations.record import ActivationRecord, both_classes
from safeneuron.progress import Progress, silent
from safeneuron.scores.es import cohens_d

if TYPE_CHECKING:
    from safeneuron.scores.result import ScoreResult

PERMUTATIONS = 1000
LEVEL = 0.05
"""The share of false findings, among all that are called significant, that is put up with."""
SEED = 0
SMALLEST_CLASS = 5
"""With fewer prompts a resample too often repeats a single one, and has no spread."""
_AT_ONCE = 200
"""Permutations in one product of matrices: 46 MB of sums in a layer of 28,672 neurons."""


def permutation_p_values(
    harmful: ActivationRecord,
    benign: ActivationRecord,
    permutations: int = PERMUTATIONS,
    progress: Progress = silent,
) -> np.ndarray:
    """Return the one-sided permutation p-value of every neuron's effect size, ``[n_layers, d_mlp]``.

        p = (1 + number of permutations with d at least the observed) / (permutations + 1)

    With all activations given, d rises with the sum over the harmful prompts: the total sum of squares
    stays, and what the classes' means explain of it is not within the classes. So that sum is compared,
    for all neurons of a layer in one product ``[permutations, n] @ [n, d_mlp]``, and a sum that is the
    same up to rounding counts as reached: p is 1 for a neuron that never varies. No p is below
    1 / (permutations + 1), nor below 1 over the number of ways to hand out the labels, which is 70
    with 4 and 4 prompts. The same labels are drawn each time, whatever order the prompts came in.
    """
    n_harmful = len(harmful.prompts)
    count, layers, width = n_harmful + len(benign.prompts), *harmful.shape[1:]
    labels = list(_permuted_labels(n_harmful, count, permutations))
    reached = np.zeros((layers, width))
    for layer in range(layers):
        progress("Permuting the labels", layer / layers)
        rows = both_classes(harmful, benign, layer)
        rows -= rows.mean(axis=0)
        rounding = count * np.finfo(np.float64).eps * np.abs(rows).sum(axis=0)
        enough = rows[:n_harmful].sum(axis=0) - rounding
        for some in labels:
            reached[layer] += (some.astype(np.float64) @ rows >= enough).sum(axis=0)
    progress("Permuting the labels", 1.0)
    return (1 + reached) / (permutations + 1)


def _permuted_labels(n_harmful: int, count: int, permutations: int) -> Iterator[np.ndarray]:
    """Yield ``[some, count]`` bool, each row with as many True as there are harmful prompts."""
    draw = np.random.default_rng(SEED)
    for start in range(0, permutations, _AT_ONCE):
        order = draw.random((min(_AT_ONCE, permutations - start), count)).argsort(axis=1)
        yield order < n_harmful


def q_values(p_values: np.ndarray) -> np.ndarray:
    """Return Benjamini and Hochberg's (1995) q-values over all neurons, in the shape of the p-values.

    Among the neurons with q below 0.05, at most 5 % are expected to be false findings. Proven for
    independent and for positively dependent neurons; those of one model are neither for sure.
    """
    from scipy.stats import false_discovery_control

    return false_discovery_control(p_values, axis=None).reshape(p_values.shape)


def significant(neurons: NeuronSet, result: "ScoreResult", level: float = LEVEL) -> int:
    """Return how many neurons of a set have a q-value below a level.

    Parameters
    ----------
    neurons : NeuronSet
    result : ScoreResult
        Of the score ``Significance``, of the same model.

    Raises
    ------
    UserError
        When the result is of another score or model.
    """
    if result.name != "Significance":
        raise UserError(f"{result.name} holds no q-values; compute the score Significance.")
    if result.model != neurons.model:
        raise UserError(f"{neurons.name} is of another model than these q-values; compute Significance of that one.")
    return int((result.values[neurons.mask()] > -np.log10(level)).sum())


@dataclass(frozen=True)
class EffectSizeInterval:
    """A bootstrap interval of one neuron's effect size.

    Parameters
    ----------
    effect_size : float
        Cohen's d of the prompts themselves.
    low, high : float
        Ends of the interval.
    """

    effect_size: float
    low: float
    high: float


def effect_size_interval(
    harmful: np.ndarray, benign: np.ndarray, resamples: int = 2000, confidence: float = 0.95
) -> EffectSizeInterval | None:
    """Return a bootstrap interval of d of one neuron (BCa: bias-corrected and accelerated, Efron 1987).

    Prompts are drawn again within their class, always the same draws. The interval speaks of other prompts
    of these kinds, not of other kinds of prompts; and for a neuron that was picked as the highest of
    thousands, d and its interval lie too high.

    Parameters
    ----------
    harmful, benign : numpy.ndarray
        The neuron's activations ``[n_harmful]`` and ``[n_benign]``, as :meth:`ActivationRecord.neuron` returns them.

    Returns
    -------
    EffectSizeInterval or None
        None where the activation is the same on all prompts of a class, or on all but one or two, so that
        resamples have no spread to measure d in.

    Raises
    ------
    UserError
        When a class has fewer than five prompts.
    """
    if min(len(harmful), len(benign)) < SMALLEST_CLASS:
        raise UserError(
            f"An interval of d needs at least {SMALLEST_CLASS} prompts in each class, and there are {len(harmful)} and "
            f"{len(benign)}; score with more."
        )
    # Here, since importing it takes a second, and cards without intervals are shown without.
    from scipy.stats import DegenerateDataWarning, bootstrap

    samples = (harmful.astype(np.float64), benign.astype(np.float64))
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # An interval that does not exist has ends that are no numbers.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            samples,
            _effect_size,
            n_resamples=resamples,
            confidence_level=confidence,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(SEED),
        ).confidence_interval
    if not np.isfinite(found).all():
        return None
    return EffectSizeInterval(float(_effect_size(*samples)), float(found.low), float(found.high))


def _effect_size(harmful: np.ndarray, benign: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return d along an axis; infinite, not 0 as in the score, where only the means differ: 0 would be drawn in."""
    shift = np.asarray(harmful.mean(axis=axis) - benign.mean(axis=axis))
    variances = [np.asarray(sample.var(axis=axis, ddof=1)) for sample in (harmful, benign)]
    effect = cohens_d(shift, variances[0], harmful.shape[axis], variances[1], benign.shape[axis])
    return np.where((variances[0] + variances[1] == 0) & (shift != 0), np.copysign(np.inf, shift), effect)
