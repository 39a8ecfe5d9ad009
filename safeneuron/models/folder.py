"""Models as folders on disk: config, tokenizer, safetensors, and a card beside them.

Only safetensors are read, and no code that lies in a folder is run.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import log
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import ACT2FN

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.card import CARD, ModelCard, read_card
from safeneuron.models.chat import prompt_ids
from safeneuron.models.chat_format import with_template
from safeneuron.models.checksums import damage, write_sums
from safeneuron.models.config_file import check_config, read_config
from safeneuron.models.device import loading_arguments, placement, require_on_gpus
from safeneuron.models.layout import layout_of, layout_of_config
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.model_files import (
    check_tokenizer,
    check_vocabulary,
    check_weights,
    folder_fingerprint,
)
from safeneuron.models.special_ids import differing_ids
from safeneuron.workspace import remove_abandoned, replacing, write_json

ENGLISH = "The sun rises in the east, and people go to work in the morning. In the evening they come home."
"""Of which every trained language model predicts the next words better than by chance."""
LOAD_REPORT = " LOAD REPORT"
"""In the heading of transformers' own report on weights that do not fit."""
NO_WEIGHTS = (
    ".rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
)
"""Ends of names of masks and frequencies that older files keep, and that models now compute."""


def load_folder(folder: Path, card: ModelCard) -> LoadedModel:
    """Open a folder where and as models are opened here (:mod:`safeneuron.models.device`), without asking any hub.

    What can be told from the config, the tokenizer and the weights' headers is refused before the
    weights are read.

    Raises
    ------
    UserError
        When the folder lacks a config or a tokenizer, its parts are damaged or do not fit together, its weights
        are quantized, or the device cannot be used.
    """
    check_config(folder)
    check_weights(folder)
    check_tokenizer(folder)
    check_vocabulary(folder, read_config(folder))
    tokenizer = read_tokenizer(folder)
    with reading(folder):
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            **loading_arguments(placement()),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            # Else an error names no weight; which they are is in the report, and refused below.
            ignore_mismatched_sizes=True,
        )
    require_on_gpus(getattr(model, "hf_device_map", None))
    require_all_weights(report, folder)
    require_finite(model, folder)
    loaded = LoadedModel(card=card, model=model.eval(), tokenizer=tokenizer)
    require_known_tokens(loaded, f"The tokenizer in {folder}")
    require_its_tokenizer(loaded, folder)
    return loaded


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
    ids = torch.tensor([loaded.tokenizer(ENGLISH)["input_ids"]], device=loaded.device)
    with reading(folder), torch.inference_mode():
        logits = loaded.model(input_ids=ids).logits[0, :-1].float()
    surprise = float(torch.nn.functional.cross_entropy(logits, ids[0, 1:]))
    differing = differing_ids(loaded.tokenizer, folder)
    if differing and not surprise <= log(logits.shape[-1]):
        raise UserError(
            f"The tokenizer in {folder} is another model's: {differing[0]}, and in its ids the model finds plain "
            "English less likely than tokens drawn by chance; take both from one place."
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


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """Turn what transformers says of a model that it cannot read into a sentence.

    Any error: tokenizers raises bare exceptions, and what lies in the place is the person's, not ours. The report on
    weights that do not fit is not printed, since :func:`require_all_weights` refuses them.
    """
    logger, report = logging.getLogger("transformers.modeling_utils"), lambda record: LOAD_REPORT not in str(record.msg)
    # A filter and not a level: with another level transformers checks what it otherwise does not.
    logger.addFilter(report)
    try:
        yield
    except (UserError, Cancelled):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise UserError(f"{place} cannot be opened as a model ({reason}); fetch or convert it again.") from error
    finally:
        logger.removeFilter(report)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return a folder's tokenizer, with a padding token and a chat template, its own or the plain fallback."""
    with reading(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return with_template(tokenizer)


def save_folder(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, target: Path, facts: dict[str, Any]
) -> None:
    """Write a model and its card so that the folder appears whole or not at all.

    Parameters
    ----------
    facts : dict
        ``title``, ``origin``, optionally ``parent`` and ``fingerprint``; without a fingerprint the
        written weights are hashed.
    """
    n_layers, d_mlp = layout_of(model).shape(model.config)
    remove_abandoned(target.parent)
    with replacing(target) as staging:
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        shape = {"n_layers": n_layers, "d_mlp": d_mlp}
        write_json(staging / CARD, {"fingerprint": folder_fingerprint(staging)} | shape | facts)
        write_sums(staging)


def card_of_folder(folder: Path, source: str) -> ModelCard:
    """Return the card of any model folder; its files are hashed, once, a second per 0.5 GB.

    The card in a folder that safeneuron wrote is believed only while its files are those it was written for.
    """
    known = None if damage(folder) else read_card(folder, source)
    if known:
        return known
    check_config(folder)
    check_weights(folder)
    check_tokenizer(folder)
    n_layers, d_mlp = shape_of(folder)
    return ModelCard(
        source=source,
        title=folder.name,
        fingerprint=folder_fingerprint(folder),
        n_layers=n_layers,
        d_mlp=d_mlp,
        origin=f"The folder {folder}.",
        ready=True,
    )


def shape_of(folder: Path) -> tuple[int, int]:
    """Return ``(n_layers, d_mlp)`` from a folder's config, or refuse one that says there are no neurons."""
    with reading(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        layout = layout_of_config(config.to_dict())
        # Inside: a text_config where the family has none stays what it was in the file.
        (n_layers, d_mlp), activation = layout.shape(config), layout.activation_of(config)
    if n_layers < 1 or d_mlp < 1:
        raise UserError(
            f"{folder / 'config.json'} says {n_layers} layers of {d_mlp} neurons, so there is nothing to look at; "
            "fetch it again."
        )
    if activation not in ACT2FN:
        raise UserError(
            f"{folder / 'config.json'} says {activation!r}, which is no activation function; fetch it again."
        )
    return n_layers, d_mlp
