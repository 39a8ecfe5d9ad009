"""Projection: how much of a neuron's output weight lies along the refusal direction (Arditi et al.).

    r_l = mean harmful - mean benign of resid_post l at the last prompt token
    cosine:      W_out[j] . r / (|W_out[j]| |r|)
    projection:  W_out[j] . r / |r|
    written:     (mean harmful - mean benign activation of j) * W_out[j] . r / |r|

Arditi et al. (arXiv 2406.11717, paper.md 5.4) take r from one layer, which they choose by how well
removing it removes refusals, and read the stream at a block's input; resid_post of layer l is that of
layer l + 1. Here r is each neuron's own layer's, which includes what the neuron itself wrote there, or
that of one layer for all neurons. Above 0 the neuron writes towards the harmful prompts' mean, below 0
away from it; ``written`` is that times how much more active the neuron is on harmful prompts, so two
signs make a plus. The residual stream is read at the last prompt token, whatever the pooling is.

In Gemma 2 and 3 and OLMo 2 a norm follows the MLP before the stream is added to: its gain is counted
in, its dividing by a scale is not (:mod:`safeneuron.models.output_weights`). A neuron without output
weight scores 0, and so do all where the means of the two classes differ by no more than rounding.
Constant activations make only ``written`` 0.

Takes the means of the residual stream ``[n_layers, d_model]`` and the output weights ``[d_mlp, d_model]`` of each
layer, and gives ``[n_layers, d_mlp]``. Its options are ``measure`` (one of the three above), ``layer`` (``own`` or
``one``) and ``depth``, per cent, where the one layer lies.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.observations.residual import ResidualStatistics
from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import ACTIVATIONS, Evidence, Score
from safeneuron.statistics import ROUNDING, mean_shift

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

MEASURE = Option(
    name="measure",
    title="Measure",
    help="cosine: whether the output weight points along the direction. projection: the same times the weight's "
    "length. written: that times how much more active the neuron is on harmful prompts, which is what the neuron adds "
    "along the direction.",
    default="cosine",
    choices=("cosine", "projection", "written"),
)
LAYER = Option(
    name="layer",
    title="Direction from",
    help="own: the residual stream after the neuron's own layer. one: that after one layer, for all neurons.",
    default="own",
    choices=("own", "one"),
)
DEPTH = Option(
    name="depth",
    title="Depth of the one layer (%)",
    help="Where the direction is read if it is that of one layer: 0 is the first layer, 100 the last.",
    default=60,
    bounds=(0, 100),
)


def refusal_directions(harmful: ResidualStatistics, benign: ResidualStatistics) -> np.ndarray:
    """Return the unit difference of means after every layer ``[n_layers, d_model]``; 0 where there is only rounding."""
    difference = harmful.mean - benign.mean
    length = np.linalg.norm(difference, axis=1, keepdims=True)
    size = np.linalg.norm((harmful.mean + benign.mean) / 2, axis=1, keepdims=True)
    return np.divide(difference, length, out=np.zeros_like(difference), where=length > ROUNDING * size)


def layer_at(depth: float, n_layers: int) -> int:
    """Return the layer nearest to a depth in percent, of which 0 is the first layer and 100 the last."""
    return round(depth / 100 * (n_layers - 1))


def projections(loaded: "LoadedModel", directions: np.ndarray, cosine: bool) -> np.ndarray:
    """Return the projection of every neuron's output weight on its layer's unit direction, ``[n_layers, d_mlp]``.

    Parameters
    ----------
    directions : numpy.ndarray
        ``[n_layers, d_model]``.
    cosine : bool
        Whether of the output weight's direction, instead of the weight itself.
    """
    from safeneuron.models.output_weights import output_weights

    found = np.empty(loaded.shape)
    for layer in range(len(found)):
        weights = output_weights(loaded, layer).cpu().double().numpy()
        found[layer] = weights @ directions[layer]
        if cosine:
            length = np.linalg.norm(weights, axis=1)
            found[layer] = np.divide(found[layer], length, out=np.zeros_like(length), where=length > 0)
    return found


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    directions = refusal_directions(*evidence.observed("residual"))
    if options["layer"] == "one":
        directions = np.broadcast_to(directions[layer_at(options["depth"], len(directions))], directions.shape)
    found = projections(evidence.model(), directions, cosine=options["measure"] == "cosine")
    if options["measure"] == "written":
        found *= mean_shift(*evidence.observed(ACTIVATIONS))
    return found


SCORE = Score(
    name="Projection",
    title="projection on the refusal direction",
    unit="along the refusal direction",
    description="How far a neuron's output weight points from the model's state on benign prompts to that on harmful "
    "ones, at the last prompt token.",
    source="Arditi et al., arXiv 2406.11717",
    default_threshold=0.2,
    compute=_compute,
    options=(MEASURE, LAYER, DEPTH),
    observes=("residual", ACTIVATIONS),
    signed=True,
    needs_model=True,
    highest_threshold=1.0,
)
