"""Whether a tokenizer and a model's config say the same ids for the tokens that open and end a text.

Sizes tell another model's tokenizer only where they differ; these ids are the one other thing that both sides state.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.config_file import read_config

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROLES = ("bos", "eos")
"""Not the padding token: it is masked wherever it stands, and many models have none."""


def differing_ids(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> list[str]:
    """Return what the tokenizer says otherwise than the folder's config, in words.

    What only one side says differs from nothing. Of a config with several ids, as models with turns have, one is
    enough; so it is where generation_config.json says another than config.json.
    """
    config, generation = read_config(folder), folder / "generation_config.json"
    parts = [config, config.get("text_config") or {}]
    if generation.is_file():
        # No number of the model hangs on that file, so whether it is whole is not asked here.
        with suppress(ValueError, TypeError):
            parts.append(dict(json.loads(generation.read_text(encoding="utf-8"))))
    found = []
    for role in ROLES:
        said = [part.get(f"{role}_token_id") for part in parts]
        wanted = {number for one in said for number in (one if isinstance(one, list) else [one]) if number is not None}
        own = getattr(tokenizer, f"{role}_token_id")
        if own is not None and wanted and own not in wanted:
            numbers = " or ".join(str(number) for number in sorted(wanted, key=str))
            name = f"the {role.upper()} token {getattr(tokenizer, f'{role}_token')}"
            found.append(f"{name} has the id {own}, and the config says {numbers}")
    return found
