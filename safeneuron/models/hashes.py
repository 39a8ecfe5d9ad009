"""SHA-256 of large files, computed once: a 15 GB model is not read again for every page and command."""

import json
import time
from contextlib import suppress
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.workspace import file_sha256, fingerprint, workspace, write_json

SETTLED_NS = 2_000_000_000
"""A file changed less than so long ago may change again within one tick of its file system's clock."""


def kept_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, from the workspace if the file is certainly the one hashed before.

    Path, size, time of the last change, inode and time of the last change of the inode (which no copying
    tool can set back) must all agree, or the file is read again.
    """
    path = path.resolve()
    stamp = _stamp(path)
    record = workspace() / "hashes" / f"{fingerprint('hash', str(path))}.json"
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        if kept["stamp"] == stamp:
            return kept["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never hashed, or the record is damaged: hashing again is right in both cases
    found = file_sha256(path)
    if _stamp(path) == stamp and time.time_ns() - max(stamp[2], stamp[4]) > SETTLED_NS:
        with suppress(UserError):  # a full disk, or somebody else's workspace: then it is read again the next time
            write_json(record, {"stamp": stamp, "sha256": found})
    return found


def _stamp(path: Path) -> list[str | int]:
    state = path.stat()
    return [str(path), state.st_size, state.st_mtime_ns, state.st_ino, state.st_ctime_ns]
