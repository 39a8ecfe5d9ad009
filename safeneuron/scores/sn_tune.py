"""SN-Tune and RSN-Tune: neurons among their layer's most active on every harmful prompt.

    Imp_j(x) = ||h(x)[:, j]||_2 * ||W_down[:, j]||_2,   h over the prompt's tokens
    N_safe = { j : Imp_j(x) is among the layer's K largest, for all harmful x }

SN-Tune (Zhao et al., ICLR 2025, paper.md 5.2); RSN-Tune leaves out the foundation neurons, those that the
same rule finds on benign prompts. What differs from them: the paper asks for Imp >= epsilon, which it
never gives, so the top K of the original code stands for it; that code scores the up projection's output
alone and here h is the whole activation, gate included, as in the paper; attention neurons are
left out; foundation neurons come from the benign class and not from Wikipedia.

Takes each prompt's norms over its tokens ``[n_layers, d_mlp]`` and those of the down columns, and gives a share of
harmful prompts, in per cent, ``[n_layers, d_mlp]``. Its options are ``variant``, ``top_share`` (K as per cent of the
layer) and ``foundation_share`` (from which share of the benign prompts on a neuron is a foundation neuron).

Cost, measured on the default model with 32 prompts of each class: 1.1 times a bare forward pass over them.
"""

from collections.abc import Mapping

import numpy as np

from safeneuron.observations.record import ActivationRecord
from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import Evidence, Score

TOKEN_NORMS = "token-norms"
RSN_TUNE, SN_TUNE = "RSN-Tune", "SN-Tune"

OPTIONS = (
    Option(
        "variant",
        "Variant",
        "RSN-Tune gives foundation neurons, those that are as active on benign prompts, 0; SN-Tune does not.",
        default=RSN_TUNE,
        choices=(RSN_TUNE, SN_TUNE),
    ),
    Option(
        "top_share",
        "K, per cent of the layer",
        "How much of its layer counts as most active on a prompt. The original code takes 84 % (12,000 of 14,336).",
        default=10.0,
        bounds=(0.1, 100.0),
    ),
    Option(
        "foundation_share",
        "Foundation neurons: per cent of benign prompts",
        "From this share of the benign prompts on, a neuron among its layer's most active is a foundation neuron. "
        "100 is the paper's rule: on every one.",
        default=100.0,
        bounds=(1.0, 100.0),
    ),
)


def top_shares(norms: ActivationRecord, output_norms: np.ndarray, top_share: float) -> np.ndarray:
    """Return on how many per cent of the prompts a neuron is among its layer's K most important.

    Parameters
    ----------
    norms : ActivationRecord
        ``||h[:, j]||_2`` of every neuron on every prompt.
    output_norms : numpy.ndarray
        ``||W_down[:, j]||_2``, ``[n_layers, d_mlp]``.
    top_share : float
        K as per cent of the layer, at least one neuron.
    """
    found = []
    for layer, lengths in enumerate(output_norms):
        importance = norms.layer(layer) * lengths
        kept = max(1, round(len(lengths) * top_share / 100))
        least = np.partition(importance, -kept, axis=1)[:, -kept, None]
        # Under ReLU most neurons may be silent; those are nowhere important, even where K is larger than the rest.
        found.append(100 * np.mean((importance >= least) & (importance > 0), axis=0))
    return np.stack(found)


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    from safeneuron.importance import output_norms

    lengths = output_norms(evidence.model())
    harmful, benign = (top_shares(norms, lengths, options["top_share"]) for norms in evidence.observed(TOKEN_NORMS))
    if options["variant"] == SN_TUNE:
        return harmful
    return np.where(benign >= options["foundation_share"], 0.0, harmful)


SCORE = Score(
    name="SN-Tune",
    title="SN-Tune intersection",
    unit="% of harmful prompts",
    description="On how many of the harmful prompts the neuron is among the most active of its layer; 0 for those "
    "that are on benign prompts too. At the threshold of 99.5 it must be on all.",
    source="Zhao et al., ICLR 2025 (SN-Tune, RSN-Tune)",
    default_threshold=99.5,
    compute=_compute,
    options=OPTIONS,
    observes=(TOKEN_NORMS,),
    pools=False,
    passes=1.1,
    needs_model=True,
    highest_threshold=100.0,
)
