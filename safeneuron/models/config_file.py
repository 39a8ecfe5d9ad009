"""A model folder's ``config.json``: read and judged without transformers, before anything else is.

What lies there is somebody's file: every part may be of another kind than a model's config has.
"""

import json
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.layout import MLPLayout, layout_of_config
from safeneuron.models.model_files import check_quantization

CONFIG = "config.json"
PARTS = ("text_config", "quantization_config")
"""Fields that hold a config of their own where they are there."""
COUNTS = (
    "hidden_size",
    "n_embd",
    "num_attention_heads",
    "n_head",
    "num_key_value_heads",
    "num_kv_heads",
    "head_dim",
    "vocab_size",
    "word_embed_proj_dim",
    "max_position_embeddings",
    "n_positions",
    "sliding_window",
)
"""Fields that are at least 1 where they are there: with less a model opens in part, and fails at its first prompt.
Layers and neurons are counted once transformers has read the config."""
EPSILONS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")
"""Added to a variance before its root is taken, so never negative."""


def read_config(folder: Path) -> dict[str, Any]:
    """Return a folder's config, with a ``model_type`` and parts that are configs.

    Raises
    ------
    UserError
        When there is none, or what is there is no model's config.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(f"{folder} has no {CONFIG}; give a folder that holds a Hugging Face model.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a model's config; fetch the model again.") from error
    if not (isinstance(config, dict) and "model_type" in config):
        raise UserError(f"{path} is not a model's config; fetch the model again.")
    for name in PARTS:
        if not isinstance(config.get(name), dict | None):
            raise UserError(f"{path} says {config[name]!r:.60} for {name}, which holds fields; fetch the model again.")
    return config


def check_config(folder: Path) -> MLPLayout:
    """Return the family of a folder's config, or say what is wrong with it.

    Raises
    ------
    UserError
        When the config is damaged, or one of a model that cannot be opened.
    """
    config, path = read_config(folder), folder / CONFIG
    try:
        layout = layout_of_config(config)
    except UserError as error:
        if config.get("auto_map"):
            raise UserError(f"{path} asks for code of its own (auto_map), and safeneuron runs none. {error}") from error
        raise
    check_quantization(folder, config)
    _check_numbers(path, config.get("text_config") or config)
    return layout


def _check_numbers(path: Path, config: dict[str, Any]) -> None:
    """Refuse sizes below 1 and negative epsilons; transformers refuses what is no number."""
    for name, least in (*((name, 1) for name in COUNTS), *((name, 0) for name in EPSILONS)):
        unused = name == "sliding_window" and config.get("use_sliding_window") is False
        value = config.get(name)
        if isinstance(value, int | float) and not unused and not value >= least:
            raise UserError(f"{path} says {value} for {name}, which is at least {least}; fetch the model again.")
