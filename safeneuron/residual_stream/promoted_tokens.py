"""Which tokens a direction of the residual stream makes likelier, and which less likely."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from safeneuron.errors import UserError
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.unembedding import effects_on_logits


@dataclass(frozen=True)
class PromotedTokens:
    """The tokens at both ends of one vector's effect on the logits, strongest first.

    Parameters
    ----------
    promoted, suppressed : tuple of (str, float)
        Token and effect, see :func:`safeneuron.models.unembedding.effects_on_logits`.
    """

    promoted: tuple[tuple[str, float], ...]
    suppressed: tuple[tuple[str, float], ...]


@torch.inference_mode()
def promoted_tokens(loaded: LoadedModel, vectors: np.ndarray, top: int = 10) -> tuple[PromotedTokens, ...]:
    """Return the tokens that each vector promotes and suppresses most.

    Parameters
    ----------
    loaded : LoadedModel
        Of any family; nothing is run but its unembedding.
    vectors : numpy.ndarray
        ``[n, d_model]``, in the coordinates of the residual stream.
    top : int
        How many tokens at each end.

    Raises
    ------
    UserError
        When the vectors are not as wide as the model's residual stream.
    """
    width = loaded.model.config.get_text_config().hidden_size
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise UserError(
            f"These vectors have the shape {vectors.shape}; give [n, {width}], rows of the residual stream."
        )
    return tuple(_promoted(loaded, torch.from_numpy(np.ascontiguousarray(vectors)), top))


def _promoted(loaded: LoadedModel, vectors: torch.Tensor, top: int) -> Iterator[PromotedTokens]:
    for rows in effects_on_logits(loaded, vectors):
        ends = [rows.topk(min(top, rows.shape[1]), largest=largest) for largest in (True, False)]
        for row in range(len(rows)):
            yield PromotedTokens(*(tuple(_named(loaded, end.indices[row], end.values[row])) for end in ends))


def _named(loaded: LoadedModel, ids: torch.Tensor, effects: torch.Tensor) -> Iterator[tuple[str, float]]:
    for number, effect in zip(ids.tolist(), effects.tolist(), strict=True):
        yield loaded.tokenizer.decode([number]), effect
