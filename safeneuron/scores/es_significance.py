"""Significance: how unlikely a neuron's effect size is by chance, over all neurons at once.

    score = -log10(q), q the Benjamini-Hochberg q-value of d's permutation p-value

See :mod:`safeneuron.significance` for the test, and for why the paper's Theorem 3.1 does not do. The
default threshold is -log10(0.05): among the neurons above it, one in twenty is expected to be there by
chance. p cannot be below 1 / (permutations + 1), so a score cannot be above log10(permutations + 1), and
many of the highest neurons share one value. A few neurons among very many need more permutations to
reach any q below 0.05: k of N with the lowest p have q = N / (k (permutations + 1)).

A neuron whose mean does not differ beyond rounding has p = 1 and so scores 0.

Takes every prompt's activations ``[n_layers, prompts, d_mlp]`` and gives ``[n_layers, d_mlp]``. Its option
``permutations`` says how often the labels are handed out anew.
"""

from collections.abc import Mapping

import numpy as np

from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import ACTIVATIONS, Evidence, Score
from safeneuron.significance import LEVEL, PERMUTATIONS, permutation_p_values, q_values
from safeneuron.statistics import mean_shift

OPTION = Option(
    name="permutations",
    title="Permutations",
    help="How often the labels harmful and benign are handed out anew at random. More of them tell smaller "
    "p-values apart and take longer in proportion.",
    default=PERMUTATIONS,
    bounds=(100, 100_000),
    step=100,
)


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    p_values = permutation_p_values(*evidence.observed("record"), options["permutations"], evidence.progress)
    p_values[mean_shift(*evidence.observed(ACTIVATIONS)) == 0] = 1.0
    return np.abs(np.log10(q_values(p_values)))


SCORE = Score(
    name="Significance",
    title="significance of ES",
    unit="−log10 q",
    description="How unlikely it is that a neuron is more active on harmful prompts by chance, with all neurons "
    "looked at together: 1.3 is q = 0.05, 2 is q = 0.01.",
    source="Benjamini and Hochberg 1995, on permutation p-values of Cohen's d",
    default_threshold=float(-np.log10(LEVEL)),
    compute=_compute,
    options=(OPTION,),
    observes=("record", ACTIVATIONS),
    highest_threshold=4.0,
)
