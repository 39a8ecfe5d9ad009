"""Parts of a neuron's card that cost model work, kept as JSON under a fingerprint of what they depend on."""

import json
from pathlib import Path
from typing import Any

from safeneuron.workspace import fingerprint, workspace, write_json

REVISION = 1
"""Raised when a part is computed or written otherwise, so that older ones are made again."""


def kept_part(*depends: Any) -> dict[str, Any] | None:
    """Return a part that was kept, or None; a damaged one counts as none, since it can be made again."""
    try:
        return json.loads(_path(depends).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def keep_part(value: dict[str, Any], *depends: Any) -> None:
    """Keep a part; all that it depends on is the name of the part, the model, and whatever else was read."""
    write_json(_path(depends), value)


def _path(depends: tuple[Any, ...]) -> Path:
    return workspace() / "neuron-cards" / f"{fingerprint(REVISION, *depends)}.json"
