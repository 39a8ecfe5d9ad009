"""The neurons nearest to one: those that are active on the same prompts, and those that write the same way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron
from safeneuron.progress import Progress, silent
from safeneuron.statistics import ROUNDING

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

COUNT = 8


@dataclass(frozen=True)
class Neighbour:
    """Another neuron and how near it is: a correlation or a cosine, -1 to 1."""

    layer: int
    index: int
    nearness: float


@dataclass(frozen=True)
class Neighbours:
    """The nearest neurons of the same layer, and of all layers; the nearest first."""

    in_layer: tuple[Neighbour, ...]
    anywhere: tuple[Neighbour, ...]


def correlated(
    records: Records, neuron: Neuron, layers: Sequence[int], count: int = COUNT, progress: Progress = silent
) -> tuple[Neighbour, ...]:
    """Return the neurons whose activations correlate most with one's, over all harmful and benign prompts.

    Pearson's r; one layer is in memory at a time. A neuron that does not vary has no correlation and is
    nobody's neighbour. Both classes are in it, so neurons that tell them apart correlate by that alone.
    """
    own = _standardised(records.both(neuron[0])[:, [neuron[1]]])[:, 0]

    def nearness() -> Iterator[tuple[int, np.ndarray]]:
        for done, layer in enumerate(layers, start=1):
            yield layer, own @ _standardised(records.both(layer))
            progress("Comparing activations", done / len(layers))

    return _nearest(nearness(), neuron, count)


def alike_in_output(
    loaded: "LoadedModel", neuron: Neuron, layers: Sequence[int], count: int = COUNT, progress: Progress = silent
) -> tuple[Neighbour, ...]:
    """Return the neurons whose output weights have the highest cosine with one's."""
    from safeneuron.models.output_weights import output_weights

    own = output_weights(loaded, neuron[0])[neuron[1]].cpu().numpy()
    own = own / max(float(np.linalg.norm(own)), np.finfo(np.float32).tiny)

    def nearness() -> Iterator[tuple[int, np.ndarray]]:
        for done, layer in enumerate(layers, start=1):
            weights = output_weights(loaded, layer).cpu().numpy()
            lengths = np.linalg.norm(weights, axis=1)
            yield layer, np.divide(weights @ own, lengths, out=np.zeros_like(lengths), where=lengths > 0)
            progress("Comparing output weights", done / len(layers))

    return _nearest(nearness(), neuron, count)


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return columns ``[n, k]`` with mean 0 and length 1, so that products are correlations.

    Those that vary by rounding alone are 0, see :data:`safeneuron.statistics.ROUNDING`.
    """
    # Squares in float64: those of single neurons reach the end of float32.
    size = np.sqrt(np.einsum("ij,ij->j", values, values, dtype=np.float64))
    values = values - values.mean(axis=0, dtype=np.float64).astype(values.dtype)
    lengths = np.sqrt(np.einsum("ij,ij->j", values, values, dtype=np.float64))
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > ROUNDING * size, casting="same_kind")


def _nearest(found: Iterator[tuple[int, np.ndarray]], neuron: Neuron, count: int) -> tuple[Neighbour, ...]:
    best: list[Neighbour] = []
    for layer, values in found:
        if layer == neuron[0]:
            values[neuron[1]] = -np.inf
        ends = np.argpartition(-values, min(count, len(values) - 1))[:count]
        best += [Neighbour(layer, int(index), float(values[index])) for index in ends if np.isfinite(values[index])]
    # A constant neuron's nearness is 0 by definition, and says nothing.
    best = [one for one in best if one.nearness != 0.0]
    best.sort(key=lambda one: (-one.nearness, one.layer, one.index))
    return tuple(best[:count])
