"""How much every neuron's activation differs between two models while one of them answers.

Both models read the same texts, so that their activations can be compared token by token. The first
model's activations of one batch are all that is held; the second's are compared as they are computed.
Answers are kept, as everywhere, and so is the sum over those that were compared until a stop.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from safeneuron.adding_up import added_up
from safeneuron.errors import UserError
from safeneuron.models.chat import pad, prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import KeptAnswers

BATCH = 4
"""Texts at a time: 4 of 300 tokens are 2.2 GB of activations in a model of 458,752 neurons."""


def answer_changes(
    model: LoadedModel,
    other: LoadedModel,
    prompts: Sequence[str],
    max_new_tokens: int,
    progress: Progress = silent,
    kept: Path | None = None,
) -> np.ndarray:
    """Return the root mean square change of every neuron, ``[n_layers, d_mlp]``, in units of activation.

    Over the positions that predict the tokens of the first model's greedy answers, the end of the turn
    included where it comes: from the prompt's last token to the last but one of the text.

    Parameters
    ----------
    model, other : LoadedModel
    prompts : sequence of str
    max_new_tokens : int
    progress : Progress
    kept : Path, optional
        Where a sum that was stopped lies; see :func:`~safeneuron.adding_up.added_up`.

    Raises
    ------
    UserError
        When the models' shapes or vocabularies differ.
    """
    _check_comparable(model, other)
    answers = KeptAnswers(model.fingerprint, None, max_new_tokens).answers(model, prompts, progress)
    asked = [prompt_ids(model, prompt) for prompt in prompts]
    written = [answer.tokens(model) for answer in answers]
    # The end of the turn itself is read by nobody; its prediction is made at the token before.
    counts = [len(tokens) + answer.finished for tokens, answer in zip(written, answers, strict=True)]
    rows = [
        (ids + list(tokens))[: len(ids) + count - 1] for ids, tokens, count in zip(asked, written, counts, strict=True)
    ]

    def work(batch: list[int]) -> np.ndarray:
        texts = [rows[row] for row in batch]
        spans = [(len(asked[row]) - 1, len(rows[row])) for row in batch]
        return _squared_changes(model, other, texts, spans)

    step = "Comparing both models on the answers"
    squares = added_up([len(row) for row in rows], BATCH, work, progress, step, kept)
    return np.sqrt(squares / sum(counts))


@torch.inference_mode()
def _squared_changes(
    model: LoadedModel, other: LoadedModel, texts: list[list[int]], spans: list[tuple[int, int]]
) -> np.ndarray:
    """Return the squared differences summed over the texts' spans of positions, ``[n_layers, d_mlp]``."""
    first: dict[int, torch.Tensor] = {}
    squares = np.zeros(model.shape)

    def keep(layer: int, activation: torch.Tensor) -> None:
        first[layer] = activation

    def compare(layer: int, activation: torch.Tensor) -> None:
        change = first[layer].to(activation.device) - activation
        squares[layer] = change.square().sum(dim=0).cpu().double().numpy()

    for loaded, take in ((model, keep), (other, compare)):
        # On the right, so that the spans are the same with every tokenizer's padding.
        batch = pad(loaded, texts, side="right")
        positions = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        for row, (start, end) in enumerate(spans):
            positions[row, start:end] = True
        with _reading(loaded, positions, take):
            loaded.model.base_model(**batch, use_cache=False)
    return squares


@contextmanager
def _reading(loaded: LoadedModel, positions: torch.Tensor, take: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
    """Hand every layer's activations at some positions ``[tokens, d_mlp]`` on while the block runs."""
    chosen = positions.flatten()

    def hook_of(layer: int):
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            # OPT calls its projections with all tokens of the batch in one row; so do we with the others.
            activation = inputs[0].flatten(end_dim=-2)
            found = activation[chosen.to(activation.device)]
            take(layer, found.to(torch.promote_types(found.dtype, torch.float32)))

        return hook

    with loaded.lock:
        blocks = mlp_blocks(loaded.model)
        handles = [block.down.register_forward_pre_hook(hook_of(layer)) for layer, block in enumerate(blocks)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _check_comparable(model: LoadedModel, other: LoadedModel) -> None:
    if model.shape != other.shape:
        raise UserError(
            f"{model.card.title} has {model.shape[0]} layers of {model.shape[1]} neurons and {other.card.title} "
            f"{other.shape[0]} of {other.shape[1]}; choose two models of one shape."
        )
    if model.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise UserError(
            f"{model.card.title} and {other.card.title} cut texts into different tokens, so they cannot be compared "
            "token by token; choose a model that was trained from the same one."
        )
