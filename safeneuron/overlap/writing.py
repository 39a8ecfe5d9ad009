"""What each layer's safety neurons write into the residual stream, towards refusing, beside the layer's whole MLP.

Two readings of the same sums over neurons, at the last prompt token:

    along the refusal direction of the layer r_l:   mean over prompts of a_j  W_out[j] . r_l
    in refusal log-odds (direct logit attribution): mean over prompts of a_j  W_out[j] . u / s

r_l is the unit difference of mean residual streams, harmful minus benign (Arditi et al., arXiv 2406.11717); u
leads from a vector in the stream to the mean logit of the tokens that open a refusal less the mean of all logits,
and s is what the final norm divides that prompt's stream by (Elhage et al. 2021; see
:mod:`safeneuron.residual_stream.attribution`). Both are linear in the neurons, so that any set's share is a sum.

In Gemma 2 and 3 and OLMo 2 a norm follows the MLP: its gain is counted in, its dividing by a scale is not. A
bias of the down-projection is no neuron's and counted nowhere.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.neurons import NeuronSet
from safeneuron.overlap.directions import mean_differences
from safeneuron.overlap.keeping import are_kept, keep_arrays, kept_arrays
from safeneuron.overlap.material import Material, recorded, streamed
from safeneuron.overlap.two_sets import require_neurons
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

READINGS = ("direction", "logits")


@dataclass(frozen=True)
class Writing:
    """What every neuron writes towards refusing, on average over a class of prompts.

    Parameters
    ----------
    values : dict of str to numpy.ndarray
        ``[n_layers, d_mlp]``, float32, under ``"direction harmful"`` and so on for each reading and class.
    """

    values: dict[str, np.ndarray]

    def by_layer(self, chosen: NeuronSet, reading: str) -> "LayerWriting":
        """Return what a set's neurons and what all neurons write in each layer.

        Raises
        ------
        UserError
            When the set is empty.
        """
        require_neurons(chosen)
        mask = chosen.mask()
        harmful, benign = (self.values[f"{reading} {kind}"].astype(np.float64) for kind in ("harmful", "benign"))
        return LayerWriting(
            name=chosen.name,
            reading=reading,
            counts=mask.sum(axis=1),
            harmful=(harmful * mask).sum(axis=1),
            benign=(benign * mask).sum(axis=1),
            harmful_whole=harmful.sum(axis=1),
            benign_whole=benign.sum(axis=1),
        )


@dataclass(frozen=True)
class LayerWriting:
    """What the neurons of a set, and all of a layer, write towards refusing.

    Parameters
    ----------
    name : str
        Of the set.
    reading : {"direction", "logits"}
    counts : numpy.ndarray
        ``[n_layers]``, neurons of the set.
    harmful, benign, harmful_whole, benign_whole : numpy.ndarray
        ``[n_layers]``, of the set and of the whole layer, on each class of prompts.
    """

    name: str
    reading: str
    counts: np.ndarray
    harmful: np.ndarray
    benign: np.ndarray
    harmful_whole: np.ndarray
    benign_whole: np.ndarray

    @property
    def shift(self) -> np.ndarray:
        """What the set writes more on harmful than on benign prompts ``[n_layers]``."""
        return self.harmful - self.benign

    @property
    def whole_shift(self) -> np.ndarray:
        """What the whole MLP writes more on harmful than on benign prompts ``[n_layers]``."""
        return self.harmful_whole - self.benign_whole

    @property
    def share(self) -> np.ndarray:
        """The set's part of the whole shift ``[n_layers]``; above 1 or below 0 where others write against it.

        Not a number where the whole is less than a hundredth of the largest layer's: such a share is of next to
        nothing.
        """
        whole = self.whole_shift
        counts = np.abs(whole) > 0.01 * np.abs(whole).max()
        return np.divide(self.shift, whole, out=np.full(len(whole), np.nan), where=counts)


def kept_writing(material: Material) -> Writing | None:
    """Return what :func:`write_out` computed before, or None."""
    found = kept_arrays(*_depends(material))
    return None if found is None else Writing(found)


def writing_is_kept(material: Material) -> bool:
    """Tell whether :func:`kept_writing` has something to read, without reading what is large for a large model."""
    return are_kept(*_depends(material))


def write_out(loaded: "LoadedModel", material: Material, progress: Progress = silent) -> Writing:
    """Return what every neuron writes towards refusing, from the model's weights and the kept activations.

    Raises
    ------
    UserError
        When the prompts were not read yet.
    """
    kept = kept_writing(material)
    if kept is not None:
        return kept
    material = _at_last_token(material)
    activations, streams = recorded(material), streamed(material)
    from safeneuron.overlap.writing_weights import effects_of_neurons, stream_scales

    directions = mean_differences(*streams)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    units = np.divide(directions, lengths, out=np.zeros_like(directions), where=lengths > 0)
    _, layers, width = activations[0].shape
    values = {f"{reading} {kind}": np.empty((layers, width)) for reading in READINGS for kind in ("harmful", "benign")}
    scales = [
        stream_scales(loaded, record.layer(layers - 1), record.prompts, source.prompts)
        for record, source in zip(streams, activations, strict=True)
    ]
    for layer in range(layers):
        progress("Adding up what the neurons write", layer / layers)
        along, logits = effects_of_neurons(loaded, layer, units[layer])
        for kind, record, scale in zip(("harmful", "benign"), activations, scales, strict=True):
            rows = record.layer(layer).astype(np.float64)
            values[f"direction {kind}"][layer] = rows.mean(axis=0) * along
            values[f"logits {kind}"][layer] = (rows / scale[:, None]).mean(axis=0) * logits
    progress("Adding up what the neurons write", 1.0)
    keep_arrays({name: array.astype(np.float32) for name, array in values.items()}, *_depends(material))
    return kept_writing(material)


def _at_last_token(material: Material) -> Material:
    """Return the material at the token that the residual stream is read at, whatever the sets are pooled by."""
    return replace(material, pooling="last")


def _depends(material: Material) -> tuple[str, ...]:
    return "writing", _at_last_token(material).fingerprint
