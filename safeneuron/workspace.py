"""The one folder in which safeneuron keeps everything, and safe ways of writing into it."""

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs
import psutil
from safetensors import SafetensorError

from safeneuron.errors import UserError

PART_OWNER = re.compile(r"\.(?P<pid>[0-9]+)@(?P<host>[^@]*)\.part$")
ABANDONED_SECONDS = 86_400.0
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""The errors of a disk, or of a person's share of it, with no space left."""


def workspace() -> Path:
    """Return the workspace folder, made if need be: ``SAFENEURON_HOME`` or the user's data folder."""
    root = Path(os.environ.get("SAFENEURON_HOME") or platformdirs.user_data_dir("safeneuron"))
    try:
        with clear_disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{root} is not a folder; set SAFENEURON_HOME to one and try again.") from None
    return root.resolve()


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into a sentence that says what to do.

    Raises
    ------
    UserError
        When the disk is full or the folder may not be written.
    """
    full = UserError(
        f"The disk that holds {path} is full; free some space, or set SAFENEURON_HOME to a folder "
        "on another disk, and try again."
    )
    try:
        yield
    except SafetensorError as error:
        # Safetensors writes in Rust and wraps the system's error in a text of its own.
        if any(f"os error {number})" in str(error) for number in FULL_DISK):
            raise full from error
        raise
    except RuntimeError as error:
        # PyTorch writes the optimiser's state in C++ and says no more than that it failed.
        if "PytorchStreamWriter failed" in str(error):
            raise full from error
        raise
    except OSError as error:
        if error.errno in FULL_DISK:
            raise full from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{path} may not be written; set SAFENEURON_HOME to a folder that you own and try again."
            ) from error
        raise


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; it takes target's place only if the block succeeds.

    Works for files and folders. An interruption, an error or a full disk leaves the earlier
    ``target`` as it was and nothing half-written.
    """
    staging = part_of(target)
    try:
        with clear_disk_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield staging
            if target.is_dir():
                shutil.rmtree(target)
            staging.replace(target)
    finally:
        if staging.is_dir():
            shutil.rmtree(staging, ignore_errors=True)
        else:
            # Where it may not be written, it may not be deleted either, and the block says why.
            with suppress(OSError):
                staging.unlink(missing_ok=True)


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside ``target``, for files on their way there; it goes when the block ends."""
    folder = part_of(target)
    with clear_disk_errors(target.parent):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def resumable(target: Path) -> Iterator[Path]:
    """Yield a folder for work towards ``target`` that may be stopped; it goes when the block succeeds.

    In it is what an earlier process that was stopped or killed left there, and in no case what a living
    one is writing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = part_of(target)
    # Renaming is atomic: of two processes that want what is there, one gets it.
    for earlier in (target, *target.parent.glob(f".{target.name}.*.part")):
        if earlier == target or not _is_owned(earlier, earlier.stat().st_mtime):
            with suppress(OSError):
                earlier.rename(folder)
                break
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # another process has stopped at the same work before
            folder.rename(target)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def discarded(folder: Path, what: str) -> UserError:
    """Delete a damaged folder of kept results, and return the error that says so: nothing is lost but time."""
    shutil.rmtree(folder, ignore_errors=True)
    return UserError(f"{what} cannot be read; the damaged file is deleted now, so try again and it is computed anew.")


def remove_abandoned(folder: Path) -> None:
    """Delete what killed processes left half-written in a folder.

    What a living process of this machine is writing stays; what another machine writes, of whose
    processes nothing can be known, stays until nobody has touched it for a day.
    """
    for part in folder.glob(".*.part"):
        try:
            touched = max(path.stat().st_mtime for path in (part, *part.rglob("*")))
        except FileNotFoundError:  # whoever writes it is just finishing
            continue
        if _is_owned(part, touched):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def part_of(target: Path) -> Path:
    """Return a new hidden path beside ``target`` that tells which process of which machine writes it."""
    return target.parent / f".{target.name}.{uuid4().hex[:8]}.{os.getpid()}@{socket.gethostname()}.part"


def _is_owned(part: Path, touched: float) -> bool:
    owner = PART_OWNER.search(part.name)
    if not owner or owner["host"] != socket.gethostname():
        return time.time() - touched < ABANDONED_SECONDS
    try:
        process = psutil.Process(int(owner["pid"]))
        # Numbers are given out again: a process that began after the last touch is not the owner.
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= touched + 1.0
    except psutil.NoSuchProcess:
        return False


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that a reader sees either the old or the new one."""
    with replacing(path) as staging:
        staging.write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that name these JSON-like values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
