"""What a model's name looks like: which part of it is a path, a repository on the hub, an adapter.

One grammar for the command line, the pages and links:

- ``smollm2-135m-safe``, ``run:ID``: a plain word is an embedded model, ``run:`` a finished run;
- ``./model``, ``/data/model``, ``~/model``, ``my/own/model``, ``model.gguf``: a path, of a folder or a GGUF file;
- ``org/name``, ``org/name@revision``, and ``gpt2`` where no embedded model has the name: a repository on the hub,
  unless a folder lies there too, which is refused: ``./org/name`` is the folder and ``org/name@main`` the repository;
- ``BASE::ADAPTER``: an adapter's folder on a model that any of the other forms names;
- ``MODEL#NAME``: any of these, spoken to in a chat format of the workspace.

A path that is there is that path, whatever signs are in its name.
"""

import os
import re
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.chat_names import MARK, is_there, split

ON_TOP = "::"
"""Stands between a base model and its adapter; no hub id holds a colon."""
NAME_BYTES, PATH_BYTES = 255, 4096
"""What file systems take at most, for one name and for a whole path; longer ones fail at every look."""
SHOWN = 100
"""Letters of a wrong name that a message repeats."""
HUB_NAME = re.compile(
    r"(?P<repository>(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95})(?:@(?P<revision>[\w][\w./-]*))?", re.ASCII
)


def hub_parts(name: str) -> tuple[str, str | None] | None:
    """Return repository and revision of a hub name, or None when the name is none."""
    match = HUB_NAME.fullmatch(name)
    if not match or is_gguf(name) or ".." in name:
        return None
    return match["repository"], match["revision"]


def is_path(name: str) -> bool:
    """Return whether a name says a place on this machine, whether or not anything is there."""
    if adapter_parts(name) or name.startswith("run:"):
        return False
    return is_gguf(name) or name in (".", "..", "~") or ("/" in name and hub_parts(name) is None)


def is_gguf(name: str) -> bool:
    """Return whether a name is a GGUF file's."""
    return name.lower().endswith(".gguf") and not adapter_parts(name)


def path_of(name: str) -> Path:
    """Return the place that a path names, symbolic links resolved.

    Raises
    ------
    UserError
        When it begins with the home folder of somebody who does not exist, or no file can have such a name.
    """
    try:
        path = Path(name).expanduser().resolve()
        if len(os.fsencode(path)) >= PATH_BYTES or any(len(os.fsencode(part)) > NAME_BYTES for part in path.parts):
            raise ValueError("it is too long")
    except (RuntimeError, ValueError) as error:
        shown = name if len(name) <= SHOWN else f"{name[:SHOWN]}…"
        raise UserError(f"{shown!r} is no path ({error}); give the path of a folder or a file.") from error
    return path


def absolute(name: str) -> str:
    """Return the same name with full paths in it, so that it means the same from any folder."""
    plain, chat = split(name)
    if chat:
        return f"{absolute(plain)}{MARK}{chat}"
    parts = adapter_parts(plain)
    if parts:
        return ON_TOP.join(map(absolute, parts))
    return str(path_of(plain)) if is_path(plain) else plain


def adapter_parts(name: str) -> tuple[str, str] | None:
    """Return base and adapter of ``BASE::ADAPTER``; None when the name has no such sign, or is a path that is there.

    Split where an adapter lies, or else at the last sign.
    """
    if ON_TOP not in name or is_there(name):
        return None
    parts = name.split(ON_TOP)
    splits = [(ON_TOP.join(parts[:at]), ON_TOP.join(parts[at:])) for at in range(len(parts) - 1, 0, -1)]
    return next((pair for pair in splits if pair[1] and is_there(pair[1])), splits[0])
