"""What shows only once a model is open: whether its weights, its config and its tokenizer are of one model."""

from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from safeneuron.errors import UserError
from safeneuron.models.chat import prompt_ids
from safeneuron.models.layout import decoder_layers
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.reading import reading
from safeneuron.models.special_ids import differing_ids

ENGLISH = "The sun rises in the east, and people go to work in the morning. In the evening they come home."
"""Of which every trained language model predicts the next words better than by chance."""
NO_WEIGHTS = (
    ".rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
)
"""Ends of names of masks and frequencies that older files keep, and that models now compute."""
MAY_BE_ZERO = tuple(
    f"{name}.weight" for name in ("o_proj", "out_proj", "c_proj", "dense", "down_proj", "fc2", "dense_4h_to_h")
)
"""Ends of names of the projections into the residual stream, of the attention and of the MLP."""


def require_known_tokens(loaded: LoadedModel, origin: str) -> None:
    """Refuse a chat template or tokenizer that makes ids which the model has no embedding for.

    Raises
    ------
    UserError
        A sentence that begins with ``origin``, where the template comes from.
    """
    rows, largest = loaded.model.get_input_embeddings().weight.shape[0], max(prompt_ids(loaded, "Hello"), default=0)
    if largest >= rows:
        raise UserError(
            f"{origin} does not fit the model's weights: its chat template makes the id {largest:,}, the embedding "
            f"has {rows:,} rows; take both from one place."
        )


def require_its_tokenizer(loaded: LoadedModel, folder: Path) -> None:
    """Refuse a model that cannot read a sentence, or reads it so that its tokenizer must be another model's.

    Other ids of special tokens alone are no proof, since some good models have them; that the model finds plain
    English less likely than tokens drawn by chance is none either, since an untrained model does. Both are.
    """
    with reading(folder):
        doubt = reading_doubt(loaded)
    differing = differing_ids(loaded.tokenizer, folder)
    if differing and doubt:
        raise UserError(
            f"The tokenizer in {folder} is another model's: {differing[0]}, and in its ids the model "
            "predicts plain English worse than blind guessing; take both from one place."
        )


def reading_doubt(loaded: LoadedModel) -> str:
    """Return a sentence on a model that predicts plain English worse than blind guessing, or nothing.

    Compared are the mean cross-entropy of the sentence's tokens and the logarithm of the vocabulary's size.
    """
    ids = torch.tensor([loaded.tokenizer(ENGLISH)["input_ids"]], device=loaded.device)
    with torch.inference_mode():
        logits = loaded.model(input_ids=ids).logits[0, :-1].float()
    surprise = float(torch.nn.functional.cross_entropy(logits, ids[0, 1:]))
    chance = log(logits.shape[-1])
    # Written so that a NaN, which compares as neither, is a doubt.
    if surprise <= chance:
        return ""
    return (
        f"This model predicts plain English worse than blind guessing (loss {surprise:.1f} a token, guessing "
        f"{chance:.1f}). Either it is not trained, or its tokenizer or adapter is another model's: then its numbers "
        "mean nothing."
    )


def require_all_weights(report: dict[str, Any], origin: Path) -> None:
    """Refuse weights that are not those of the config; transformers only warns.

    It answers with random weights for those that are missing or of another shape, and without those that the
    config has no place for, such as further layers: another model, and no self-check could tell.
    """
    left_over = (name for name in report["unexpected_keys"] if not name.endswith(NO_WEIGHTS))
    of_other_shape = {
        f"{name} is {_by(found)} there and {_by(wanted)} in the config"
        for name, found, wanted in report["mismatched_keys"]
    }
    missing = {f"{name} is missing" for name in report["missing_keys"]}
    for problems in (of_other_shape, missing, {f"{name} has no place in it" for name in left_over}):
        for first in sorted(problems)[:1]:
            raise UserError(
                f"The weights in {origin} do not fit its config ({first}); take both from one place, or fetch the "
                "model again."
            )


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def require_finite(model: PreTrainedModel, origin: Path) -> None:
    """Refuse a model in which some weight is not a number.

    One sum shows a NaN or an infinity anywhere in a tensor, with no second tensor in memory.
    """
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter.detach().sum(dtype=torch.float32)):
            raise UserError(f"The weights in {origin} hold no finite numbers ({name}); fetch the model again.")


def require_filled(model: PreTrainedModel, origin: Path) -> None:
    """Refuse a model with a matrix of zeros, as a download leaves it that was given its place and never arrived.

    Not where a matrix writes into the residual stream: block expansion adds layers in which those are zero.
    """
    ends = {"the embedding": model.get_input_embeddings(), "the unembedding": model.get_output_embeddings()}
    matrices = [(name, module.weight) for name, module in ends.items()]
    for number, layer in enumerate(decoder_layers(model)):
        matrices += [(f"layer {number}, {name}", parameter) for name, parameter in layer.named_parameters()]
    for name, matrix in matrices:
        if matrix.dim() > 1 and not name.endswith(MAY_BE_ZERO) and not matrix.detach().any():
            raise UserError(
                f"The weights in {origin} were never filled in (in {name} every number is zero); fetch the model again."
            )
