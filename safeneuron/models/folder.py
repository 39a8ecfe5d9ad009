"""Models as folders on disk: config, tokenizer, safetensors, and a card beside them.

Only safetensors are read, and no code that lies in a folder is run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from safeneuron.errors import UserError
from safeneuron.models.card import CARD, ModelCard, read_card
from safeneuron.models.device import loading_arguments, placement, require_on_gpus
from safeneuron.models.layout import layout_of_type, mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.workspace import file_sha256, fingerprint, remove_abandoned, replacing, write_json


def load_folder(folder: Path, card: ModelCard) -> LoadedModel:
    """Open a folder where and as models are opened here (:mod:`safeneuron.models.device`), without asking any hub.

    Raises
    ------
    UserError
        When the folder lacks a config or a chat template, its weights are damaged, or the device cannot be used.
    """
    check_config(folder)
    check_weights(folder)
    with _reading(folder):
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            **loading_arguments(placement()),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    require_on_gpus(getattr(model, "hf_device_map", None))
    # Transformers only warns of these, and answers with random weights in their place.
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise UserError(f"The weights in {folder} do not fit its config.json ({first} is missing); fetch them again.")
    tokenizer = _tokenizer(folder)
    if tokenizer.chat_template is None:
        raise UserError(f"{folder} has no chat template; add a chat_template.jinja to it.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LoadedModel(card=card, model=model.eval(), tokenizer=tokenizer)


def check_config(folder: Path) -> None:
    """Read the config without transformers, or say what is wrong with it."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder} has no config.json; give a folder that holds a Hugging Face model.")
    try:
        model_type = json.loads(path.read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a model's config; fetch the model again.") from error
    layout_of_type(model_type)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn what transformers says of a folder that it cannot read into a sentence."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{folder} cannot be opened as a model ({reason}); fetch or convert it again.") from error


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    with _reading(folder):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def check_weights(folder: Path) -> list[Path]:
    """Return the weight files after reading their headers, or say what is wrong with the folder."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{folder} holds no .safetensors weights; convert them first (pickle weights are not opened).")
    for path in weights:
        try:
            with safe_open(path, framework="pt"):
                pass
        except SafetensorError as error:
            raise UserError(f"{path} is damaged or cut short ({error}); fetch or prepare the model again.") from error
    return weights


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
    blocks = mlp_blocks(model)
    remove_abandoned(target.parent)
    with replacing(target) as staging:
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        shape = {"n_layers": len(blocks), "d_mlp": blocks[0].down.in_features}
        write_json(staging / CARD, {"fingerprint": weights_fingerprint(staging)} | shape | facts)


def weights_fingerprint(folder: Path) -> str:
    """Return a fingerprint of the weights' bytes and the chat template."""
    tokenizer = _tokenizer(folder)
    return fingerprint("weights", [file_sha256(path) for path in check_weights(folder)], tokenizer.chat_template)


def card_of_folder(folder: Path, source: str) -> ModelCard:
    """Return the card of any model folder; weights of others are hashed, which takes a second per 0.5 GB."""
    known = read_card(folder, source)
    if known:
        return known
    check_config(folder)
    check_weights(folder)
    with _reading(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return ModelCard(
        source=source,
        title=folder.name,
        fingerprint=weights_fingerprint(folder),
        n_layers=config.num_hidden_layers,
        d_mlp=config.intermediate_size,
        origin=f"The folder {folder}.",
        ready=True,
    )
