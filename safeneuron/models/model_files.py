"""The files that a model folder is made of: which they are, and whether they are whole.

Only headers are read, and no torch is needed: a folder of 15 GB is refused or accepted in milliseconds.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from safeneuron.errors import UserError
from safeneuron.models import chat_format
from safeneuron.models.device import placement
from safeneuron.models.hashes import kept_sha256
from safeneuron.workspace import fingerprint

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)
"""What decides a model's numbers beside its weights: no code, and no weights in another format."""
PICKLE_SUFFIXES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json")
"""One of these holds a tokenizer's tokens."""
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
"""How the input embedding's name ends in the architectures of transformers."""


LEAST_USED = 0.9
"""Share of the embedding's rows that a tokenizer of the same model has ids for at least; the rest is padding."""


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files that transformers would open; none when there are none.

    Raises
    ------
    UserError
        When the index of a model in several files cannot be read or names files that are not there.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        return []
    names = shard_names(index)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise UserError(f"{folder} is incomplete: {missing[0]}{more}, named by {INDEX}, cannot be found; fetch them.")
    return [folder / name for name in names]


def shard_names(index: Path) -> list[str]:
    """Return the names of the files that the index of a model in several files names.

    Raises
    ------
    UserError
        When the index cannot be read, here or by transformers.
    """
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        found = content["weight_map"].values()
        # A plain file name: an index must not lead out of its folder.
        if not found or any(Path(name).name != name for name in found):
            raise ValueError("no plain file names")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index} is damaged; fetch the model again.") from error
    if not isinstance(content.get("metadata"), dict):
        raise UserError(
            f'{index} has no "metadata", which transformers asks for; write "metadata": {{}} into it, before '
            '"weight_map", or fetch the model again.'
        )
    return sorted(set(found))


def check_weights(folder: Path) -> list[Path]:
    """Return the weight files after reading their headers, or say what is wrong with the folder.

    Raises
    ------
    UserError
        When the weights are missing, incomplete, cut short, damaged at the head, or only there as pickles.
    """
    files = weight_files(folder)
    if not files:
        pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLE_SUFFIXES)
        found = f" but {pickles[0]}" if pickles else ""
        raise UserError(
            f"{folder} holds no {WEIGHTS} weights{found}; convert them to safetensors first "
            "(pickle weights are not opened: they can run code)."
        )
    for path in files:
        tensor_shapes(path)
    return files


def check_tokenizer(folder: Path) -> None:
    """Refuse a folder without a tokenizer.

    Raises
    ------
    UserError
        When no file of a tokenizer is there.
    """
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise UserError(
            f"{folder} holds no tokenizer ({', '.join(VOCABULARIES[:-1])} or {VOCABULARIES[-1]}); copy the tokenizer "
            "files of the same model into it."
        )


def asks_for_code(path: Path) -> bool:
    """Return whether a tokenizer's config names code that comes with the model."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("auto_map"))
    except (OSError, ValueError, AttributeError):
        return False


def check_quantization(folder: Path, config: dict[str, Any]) -> None:
    """Refuse weights that were quantized before they were saved and that cannot be read here.

    Raises
    ------
    UserError
        When the config says so of another kind than bitsandbytes, or what that needs is missing.
    """
    quantized = config.get("quantization_config")
    if not quantized:
        return
    method = quantized.get("quant_method", "bitsandbytes")
    if method != "bitsandbytes":
        raise UserError(
            f"The weights in {folder} are quantized by {method}, which safeneuron does not read; give the folder of "
            "the same model before it was quantized."
        )
    if not (placement().on_cuda and find_spec("bitsandbytes")):
        raise UserError(
            f"The weights in {folder} are quantized by bitsandbytes, which takes that package and an NVIDIA GPU; "
            "install it with 'pip install bitsandbytes', or give the folder of the same model before it was quantized."
        )


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a safetensors file, from its header, checked against the file's size."""
    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged or cut short ({error}); fetch or prepare the model again.") from error


def check_vocabulary(folder: Path, config: dict[str, Any]) -> None:
    """Refuse weights whose embedding is too small for the tokenizer, or of another size than the config says.

    Added special tokens do not count: transformers adds some of its own to tokenizers that never use them,
    and whether a prompt holds one shows once the tokenizer is open.

    Raises
    ------
    UserError
        When the parts do not fit together, or the tokenizer's file is damaged.
    """
    wanted = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    largest = _largest_id(folder / "tokenizer.json")
    for path in weight_files(folder):
        for name, shape in tensor_shapes(path).items():
            if not name.endswith(EMBEDDINGS):
                continue
            if wanted and shape[0] != wanted:
                raise UserError(
                    f"{folder} does not fit together: its config.json says a vocabulary of {wanted:,}, its weights "
                    f"hold {shape[0]:,} ({name}); fetch both from one place."
                )
            if 0 <= largest < shape[0] * LEAST_USED:
                raise UserError(
                    f"The tokenizer in {folder} does not fit its weights: it has ids up to {largest:,} only, the "
                    f"embedding has {shape[0]:,} rows; fetch both from one place."
                )
            if largest >= shape[0]:
                raise UserError(
                    f"The tokenizer in {folder} does not fit its weights: it has ids up to {largest:,}, the embedding "
                    f"has {shape[0]:,} rows; fetch both from one place."
                )


def _largest_id(path: Path) -> int:
    """Return the largest id of text in a tokenizer.json; -1 without the file, which not every tokenizer has."""
    if not path.is_file():
        return -1
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = content["model"]["vocab"]
        ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        added = [token["id"] for token in content.get("added_tokens") or () if not token["special"]]
        return max([*ids, *added], default=-1)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged; fetch the model again.") from error


def folder_fingerprint(folder: Path) -> str:
    """Return a fingerprint of all bytes that decide a model's numbers: weights, config, tokenizer, chat template.

    So it is the same for a copy of the folder elsewhere. Hashing takes a second per 0.5 GB, once.
    """
    small = [folder / name for name in SMALL_FILES if (folder / name).is_file()]
    files = {path.name: kept_sha256(path) for path in [*small, *check_weights(folder)]}
    # The fallback stands in for a chat template that is not there.
    return fingerprint("folder", files, chat_format.FALLBACKS)
