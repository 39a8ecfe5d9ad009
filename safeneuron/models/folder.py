"""Models as folders on disk: config, tokenizer, safetensors, and a card beside them.

Only safetensors are read, and no code that lies in a folder is run.
"""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import ACT2FN

from safeneuron.errors import UserError
from safeneuron.models.card import CARD, ModelCard, read_card
from safeneuron.models.chat_format import with_template
from safeneuron.models.checksums import damage, write_sums
from safeneuron.models.config_file import check_config, read_config
from safeneuron.models.device import loading_arguments, placement, require_on_gpus
from safeneuron.models.layout import layout_of, layout_of_config
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.model_files import (
    asks_for_code,
    check_tokenizer,
    check_vocabulary,
    check_weights,
    folder_fingerprint,
)
from safeneuron.models.open_check import (
    require_all_weights,
    require_filled,
    require_finite,
    require_its_tokenizer,
    require_known_tokens,
)
from safeneuron.models.reading import reading
from safeneuron.workspace import remove_abandoned, replacing, write_json


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
    require_filled(model, folder)
    loaded = LoadedModel(card=card, model=model.eval(), tokenizer=tokenizer)
    require_known_tokens(loaded, f"The tokenizer in {folder}")
    require_its_tokenizer(loaded, folder)
    return loaded


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return a folder's tokenizer, with a padding token and a chat template, its own or the plain fallback."""
    try:
        with reading(folder):
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except UserError as error:
        if asks_for_code(folder / "tokenizer_config.json"):
            raise UserError(
                f"The tokenizer in {folder} asks for code of its own (auto_map), and safeneuron runs none; give the "
                "model with a tokenizer that transformers knows, as a tokenizer.json."
            ) from error
        raise
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
