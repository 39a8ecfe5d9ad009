"""Attribution patching of the refusal score: what ablating one neuron would do, for all neurons at once.

    value = mean over harmful x of sum over positions t of (a(x)[t, j] - b_j) * d score(x) / d a(x)[t, j]

The first-order estimate of how far the refusal score (Arditi et al., arXiv 2406.11717, paper.md 5.4) falls when
the neuron's activation is set to the baseline b: its mean on benign prompts, or 0, which is the paper's
ablation. Attribution patching: Nanda 2023; Kramár et al. 2024 (AtP*, arXiv 2403.00745). The score saturates
at 18.4 nats, and where it does every gradient is 0.

Takes activations and gradients ``[n_layers, tokens, d_mlp]`` of each harmful prompt and gives ``[n_layers, d_mlp]``, in
nats. Its options are ``positions`` (the last token or all) and ``baseline`` (b: the benign mean or zero).

Cost, measured on the default model with 32 prompts of each class: 1.6 times a bare forward pass over them, of which
0.5 is the benign mean, which the paper's scores may have left already.
"""

from collections.abc import Mapping

import numpy as np

from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import ACTIVATIONS, Evidence, Score

BENIGN_MEAN, ZERO = "benign mean", "zero"

OPTIONS = (
    Option(
        "positions",
        "Positions",
        "Where the activation is replaced: at the last prompt token, from which the answer's first word is read, or "
        "at all prompt tokens.",
        default="last",
        choices=("last", "all"),
    ),
    Option(
        "baseline",
        "Replaced by",
        "The neuron's mean activation on the benign prompts, at the same positions, or zero, as when it is ablated.",
        default=BENIGN_MEAN,
        choices=(BENIGN_MEAN, ZERO),
    ),
)


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    from safeneuron.attribution import refusal_attribution

    loaded = evidence.model()
    baseline = np.zeros(loaded.shape) if options["baseline"] == ZERO else _benign_mean(evidence, options["positions"])
    prompts = evidence.classes.harmful.prompts
    kept = evidence.unfinished("harmful")
    return refusal_attribution(loaded, prompts, baseline, options["positions"], progress=evidence.progress, kept=kept)


def _benign_mean(evidence: Evidence, positions: str) -> np.ndarray:
    """Return the mean over benign prompts at these positions; what another score has observed is not read again."""
    from safeneuron.observations.observation import Target, observations
    from safeneuron.observing import observe

    loaded = evidence.model()
    target = Target(loaded.fingerprint, evidence.classes.benign.prompts, "last" if positions == "last" else "mean")
    observe(loaded, target, [ACTIVATIONS], evidence.progress, "Reading activations on benign prompts")
    return observations()[ACTIVATIONS].kept(target).mean


SCORE = Score(
    name="AtP",
    title="attribution patching of the refusal score",
    unit="nats",
    description="By how much the log-odds of a refusal would fall, to first order, if the neuron's activation on "
    "harmful prompts were its mean on benign ones. Negative: the neuron works against the refusal. Needs gradients.",
    source="Nanda 2023; Kramár et al. 2024, arXiv 2403.00745; refusal score of Arditi et al., arXiv 2406.11717",
    default_threshold=0.03,
    compute=_compute,
    options=OPTIONS,
    observes=(),
    pools=False,
    passes=1.6,
    signed=True,
    needs_model=True,
    highest_threshold=2.0,
)
