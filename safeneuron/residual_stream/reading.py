"""What was read of the residual stream on one prompt; holds no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LogitAttribution:
    """What each part of a model adds to one difference of logits, at the last position of a prompt.

    The difference is the mean logit of the tokens that open a refusal less the mean of all logits,
    before a soft cap. The scale that the final norm divides by is held at its value here, so the parts
    are linear, and together with ``rounding`` they are exactly ``total`` (direct logit attribution,
    Elhage et al. 2021).

    Parameters
    ----------
    attention, mlp : numpy.ndarray
        ``[n_layers]``, what each layer's attention and MLP write into the residual stream, in logits.
    embedding : float
        What stands in the stream before the first layer.
    constant : float
        Biases of the final norm and of the unembedding.
    total : float
        The difference of the model's own logits.
    """

    attention: np.ndarray
    mlp: np.ndarray
    embedding: float
    constant: float
    total: float

    @property
    def rounding(self) -> float:
        """What the parts leave of the total: rounding of the sums, larger in bfloat16."""
        return self.total - float(self.attention.sum() + self.mlp.sum()) - self.embedding - self.constant


@dataclass(frozen=True)
class ResidualStream:
    """The residual stream behind every layer of a model on one prompt, and what it says of the next token.

    Parameters
    ----------
    model : str
        Fingerprint.
    prompt : str
        As the person wrote it.
    off : str
        Name of the neuron set that was switched off; ORI for none.
    neurons : int
        How many that were.
    tokens : tuple of str
        The last tokens of the prompt as the model reads it, ``[positions]``.
    first_position : int
        Where in the whole prompt the first of these is, from 0.
    top_tokens : numpy.ndarray of str
        ``[n_layers, positions, k]``, the likeliest next tokens by the logit lens, likeliest first: what
        the final norm and the unembedding make of the stream behind that layer (``resid_post``).
    top_probabilities : numpy.ndarray
        Theirs, ``[n_layers, positions, k]``.
    refusal_scores : numpy.ndarray
        ``[n_layers]``, the refusal score in nats (:mod:`safeneuron.refusal.log_odds`) by the logit lens
        at the last position; that of the last layer is the model's own.
    norms : numpy.ndarray
        ``[n_layers, positions]``, Euclidean length of the stream.
    refusal_tokens : tuple of str
        The tokens that open a refusal.
    attribution : LogitAttribution or None
        None where the layers do more to the stream than add to it.
    not_attributed : str
        Why there is none; empty when there is one.
    """

    model: str
    prompt: str
    off: str
    neurons: int
    tokens: tuple[str, ...]
    first_position: int
    top_tokens: np.ndarray
    top_probabilities: np.ndarray
    refusal_scores: np.ndarray
    norms: np.ndarray
    refusal_tokens: tuple[str, ...]
    attribution: LogitAttribution | None
    not_attributed: str = ""

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.refusal_scores)

    def rows(self) -> list[dict[str, Any]]:
        """Return what was read at the last position, a row a layer."""
        attribution = self.attribution
        return [
            {
                "layer": layer,
                "refusal_score": float(self.refusal_scores[layer]),
                "norm": float(self.norms[layer, -1]),
                "attention": float(attribution.attention[layer]) if attribution else None,
                "mlp": float(attribution.mlp[layer]) if attribution else None,
                "top": self.top(layer, -1),
            }
            for layer in range(self.n_layers)
        ]

    def top(self, layer: int, position: int) -> list[dict[str, Any]]:
        """Return the likeliest next tokens behind a layer at a position, each with its probability."""
        found = zip(self.top_tokens[layer, position], self.top_probabilities[layer, position], strict=True)
        return [{"token": str(token), "probability": float(probability)} for token, probability in found]

    def to_json(self) -> Mapping[str, Any]:
        """Return everything that was read, by name."""
        attribution = self.attribution
        return {
            "fingerprint": self.model,
            "prompt": self.prompt,
            "set": self.off,
            "count": self.neurons,
            "refusal_tokens": list(self.refusal_tokens),
            "layers": self.rows(),
            "attribution": None
            if attribution is None
            else {
                "total": attribution.total,
                "embedding": attribution.embedding,
                "attention": float(attribution.attention.sum()),
                "mlp": float(attribution.mlp.sum()),
                "constant": attribution.constant,
                "rounding": attribution.rounding,
            },
            "not_attributed": self.not_attributed,
            "positions": [
                {
                    "position": self.first_position + number,
                    "token": token,
                    "norms": self.norms[:, number].tolist(),
                    "top": [self.top(layer, number) for layer in range(self.n_layers)],
                }
                for number, token in enumerate(self.tokens)
            ],
        }
