"""PEFT adapters: what their files say, and merging one into its base model exactly, in memory."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.models.hashes import kept_sha256
from safeneuron.models.model_files import SMALL_FILES, tensor_shapes
from safeneuron.workspace import fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def read_adapter(folder: Path) -> dict[str, Any]:
    """Return an adapter's config after checking that its weights are whole.

    Raises
    ------
    UserError
        When the folder holds no adapter in safetensors, or a damaged one.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(f"{folder} has no {CONFIG}; give the folder of a PEFT adapter.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config["peft_type"], str):
            raise TypeError("no kind of adapter")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not an adapter's config; fetch the adapter again.") from error
    if config.get("megatron_config"):
        # PEFT imports the module that such a config names, whatever it is.
        raise UserError(f"{path} is for a model inside Megatron, whose code safeneuron does not run; give another.")
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no {WEIGHTS}; save the adapter as safetensors (pickles are not opened).")
    tensor_shapes(folder / WEIGHTS)
    return config


def adapter_fingerprint(base: str, folder: Path) -> str:
    """Return a fingerprint of a base model, by its own, and the bytes of an adapter and its tokenizer."""
    files = [folder / name for name in (CONFIG, WEIGHTS, *SMALL_FILES) if (folder / name).is_file()]
    return fingerprint("adapter", base, {path.name: kept_sha256(path) for path in files})


def merged(model: "PreTrainedModel", folder: Path) -> "PreTrainedModel":
    """Return the model with an adapter added to its weights, which changes the model that was given.

    Raises
    ------
    UserError
        When the adapter does not fit the model, weight by weight, or cannot be merged.
    """
    from peft import PeftModel, get_peft_model_state_dict

    held = set(tensor_shapes(folder / WEIGHTS))
    try:
        with warnings.catch_warnings():
            # PEFT only warns of missing weights; they are compared below.
            warnings.simplefilter("ignore")
            adapted = PeftModel.from_pretrained(model, folder)
        if not hasattr(adapted.base_model, "merge_and_unload"):
            raise UserError(f"The adapter in {folder} is of a kind that has no merged form; give a LoRA adapter.")
        wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
        # Embeddings may be saved beside the adapter's own weights: they are known to the model as a whole.
        strange = sorted((wanted - held) | {name for name in held - wanted if name not in adapted.state_dict()})
        if strange:
            raise UserError(
                f"The adapter in {folder} does not fit its base model ({strange[0]} is not in both); "
                "give the base that it was trained on."
            )
        return adapted.merge_and_unload(safe_merge=True)
    except UserError:
        raise
    except Exception as error:
        # Any: PEFT computes with what the config says before it looks whether that can be.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "mismatch for" in line), lines[0] if lines else type(error).__name__)
        if isinstance(error, ValueError | RuntimeError | KeyError):
            problem, advice = "does not fit its base model", "give the base that it was trained on"
        else:
            problem, advice = "cannot be merged", f"correct its {CONFIG}, or fetch the adapter again"
        raise UserError(f"The adapter in {folder} {problem} ({reason[:300]}); {advice}.") from error
