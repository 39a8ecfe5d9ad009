"""One neuron's activation at every token of a few prompts, as the model reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.neurons import Neuron
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from safeneuron.models.loaded import LoadedModel


TOKENS = 8
"""How many tokens are named at either end."""


@dataclass(frozen=True)
class TokenActivations:
    """A templated prompt, token by token.

    Parameters
    ----------
    prompt : str
    tokens : tuple of str
        As the tokenizer spells them, with their spaces; characters of several tokens are cut, and shown as such.
    special : tuple of bool
        Which tokens are special ones of the chat format.
    activations : tuple of float
        The neuron's, at each token.
    """

    prompt: str
    tokens: tuple[str, ...]
    special: tuple[bool, ...]
    activations: tuple[float, ...]


def token_activations(
    loaded: "LoadedModel", neuron: Neuron, prompts: Sequence[str], batch_size: int = 16, progress: Progress = silent
) -> tuple[TokenActivations, ...]:
    """Return the neuron's activation at each token of some prompts; hooks on the model stay in force."""
    import torch

    from safeneuron.models.batches import in_batches
    from safeneuron.models.chat import pad, prompt_ids
    from safeneuron.models.layout import mlp_blocks

    layer, index = neuron
    rows = [prompt_ids(loaded, prompt) for prompt in prompts]
    found: dict[int, np.ndarray] = {}

    def read(batch: list[int]) -> np.ndarray:
        encoded = pad(loaded, [rows[row] for row in batch], side="right")
        seen: list[torch.Tensor] = []
        with loaded.lock:
            # OPT calls its projections with all tokens of the batch in one row.
            handle = mlp_blocks(loaded.model)[layer].down.register_forward_pre_hook(
                lambda module, inputs: seen.append(inputs[0].reshape(*encoded["input_ids"].shape, -1)[..., index])
            )
            try:
                loaded.model.base_model(**encoded, use_cache=False)
            finally:
                handle.remove()
        return seen[0].float().cpu().numpy()

    with torch.inference_mode():
        for batch, values in in_batches([len(row) for row in rows], batch_size, read, progress):
            found |= dict(zip(batch, values, strict=True))
            progress("Reading the neuron at every token", len(found) / len(rows))
    return tuple(
        TokenActivations(
            prompt,
            *spelled(loaded.tokenizer, ids),
            tuple(float(value) for value in found[row][: len(ids)]),
        )
        for row, (prompt, ids) in enumerate(zip(prompts, rows, strict=True))
    )


def common_start(rows: Sequence[TokenActivations]) -> int:
    """Return how many tokens all rows begin with alike, which a chat format writes before every prompt."""
    count = 0
    for tokens in zip(*(row.tokens for row in rows), strict=False):
        if len(set(tokens)) > 1:
            break
        count += 1
    return count


@dataclass(frozen=True)
class ExtremeTokens:
    """Tokens and the neuron's activation at them, the outermost first."""

    most: tuple[tuple[str, float], ...]
    least: tuple[tuple[str, float], ...]


def extreme_tokens(rows: Sequence[TokenActivations], count: int = TOKENS) -> ExtremeTokens:
    """Return the tokens with the highest and the lowest activations in some prompts, each text once at either end."""
    found = sorted(
        (pair for row in rows for pair in zip(row.tokens, row.activations, strict=True)), key=lambda pair: -pair[1]
    )
    most, least = dict(reversed(found)), dict(found)
    return ExtremeTokens(
        tuple(sorted(most.items(), key=lambda pair: -pair[1])[:count]),
        tuple(sorted(least.items(), key=lambda pair: pair[1])[:count]),
    )


def spelled(tokenizer: "PreTrainedTokenizerBase", ids: Sequence[int]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Return each token's text with its spaces, and whether it is a special one."""
    # Decoded behind another token, since some tokenizers drop the space of a text's first one.
    before = tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
    start = len(tokenizer.decode(before, clean_up_tokenization_spaces=False))
    texts = (tokenizer.decode([*before, one], clean_up_tokenization_spaces=False)[start:] for one in ids)
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= set(tokenizer.all_special_ids)
    return tuple(texts), tuple(one in special for one in ids)
