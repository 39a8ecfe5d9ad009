"""What one neuron writes: its output weight, read in the vocabulary, against the refusal direction, beside others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from safeneuron.neuron_card.neighbours import Neighbour, Neighbours, alike_in_output
from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

TOKENS = 12
"""How many tokens are named at either end."""


@dataclass(frozen=True)
class OutputWeight:
    """One neuron's output weight.

    Parameters
    ----------
    vector : tuple of float
        ``[d_model]``: what an activation of 1 adds to the residual stream.
    promoted, suppressed : tuple of (str, float)
        Tokens, strongest first, with their effect per unit of activation, by the final norm's gain and the
        unembedding alone (:func:`safeneuron.models.unembedding.effects_on_logits`): a first-order reading, which
        passes over all later layers.
    alike : Neighbours
        Neurons whose output weights have the highest cosine with this one's.
    """

    vector: tuple[float, ...]
    promoted: tuple[tuple[str, float], ...]
    suppressed: tuple[tuple[str, float], ...]
    alike: Neighbours

    @property
    def norm(self) -> float:
        """Euclidean length of the vector."""
        return float(np.linalg.norm(self.vector))

    def chance_cosine(self, count: int) -> float:
        """Return the cosine that one of so many random directions of this width is expected to exceed.

        The square of a random direction's cosine is distributed as Beta(1/2, (d_model - 1)/2).
        """
        from scipy.stats import beta

        # The cosine is above zero in half of the cases, so one in `count` is the highest 2 / count of the squares.
        return float(np.sqrt(beta.isf(2 / max(count, 2), 0.5, (len(self.vector) - 1) / 2)))

    def refusal_cosine(self, records: Records, layer: int) -> float | None:
        """Return the cosine with the refusal direction after the neuron's layer; None where either is zero."""
        direction = records.refusal_direction(layer)
        lengths = self.norm * float(np.linalg.norm(direction))
        return float(np.dot(self.vector, direction)) / lengths if lengths > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "OutputWeight":
        """Read what :meth:`to_json` wrote."""
        ends = (tuple((text, effect) for text, effect in value[end]) for end in ("promoted", "suppressed"))
        return cls(tuple(value["vector"]), *ends, neighbours_from(value["alike"]))


def output_weight(loaded: "LoadedModel", neuron: Neuron, progress: Progress = silent) -> OutputWeight:
    """Return what a neuron writes; reads the down-projections of all layers and the unembedding."""
    from safeneuron.models.output_weights import output_weights
    from safeneuron.residual_stream.promoted_tokens import promoted_tokens

    vector = output_weights(loaded, neuron[0])[neuron[1]].cpu().numpy()
    (ends,) = promoted_tokens(loaded, vector[None], TOKENS)
    layers = range(loaded.shape[0])
    alike = Neighbours(
        alike_in_output(loaded, neuron, [neuron[0]]), alike_in_output(loaded, neuron, layers, progress=progress)
    )
    return OutputWeight(tuple(vector.tolist()), ends.promoted, ends.suppressed, alike)


def neighbours_from(value: dict[str, Sequence[dict[str, Any]]]) -> Neighbours:
    """Read neighbours from JSON."""
    return Neighbours(*(tuple(Neighbour(**one) for one in value[name]) for name in ("in_layer", "anywhere")))
