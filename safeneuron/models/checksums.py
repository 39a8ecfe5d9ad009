"""``SHA256SUMS``: what safeneuron wrote into a model folder, so that later damage never passes for the model.

In the format of coreutils, which can check a folder too: ``sha256sum --check SHA256SUMS``.
"""

from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.hashes import kept_sha256
from safeneuron.models.model_files import INDEX, SMALL_FILES, WEIGHTS
from safeneuron.workspace import file_sha256, replacing

SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Write down the SHA-256 of every file in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    with replacing(folder / SUMS) as staging:
        staging.write_text("".join(f"{file_sha256(path)}  {path.name}\n" for path in files), encoding="utf-8")


def damage(folder: Path) -> str:
    """Return what in a folder is no longer as it was written, in words; empty where nothing is.

    Every byte is read, a second per 0.5 GB, but only once for as long as the files stay as they are.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        return f"{SUMS} is missing or damaged"
    for name, digest in sums.items():
        path = folder / name
        # A plain file name: the list must not lead out of its folder.
        if Path(name).name != name or not path.is_file():
            return f"{name} is missing"
        if kept_sha256(path) != digest:
            return f"{name} has changed"
    added = [name for name in (WEIGHTS, INDEX, *SMALL_FILES) if name not in sums and (folder / name).is_file()]
    return f"{added[0]} was added" if added else ""


def said_to_be_made_anew(folder: Path) -> str:
    """Return a sentence for people about a damaged folder that will be made anew; empty where there is none."""
    found = damage(folder) if folder.is_dir() else ""
    return f"What was prepared before is damaged ({found}). " if found else ""


def require_intact(folder: Path) -> None:
    """Refuse a folder that lies nowhere else and is no longer as it was written.

    One of an earlier safeneuron, which wrote no ``SHA256SUMS``, has nothing to be compared with.

    Raises
    ------
    UserError
        When something in it is missing, changed or added.
    """
    found = damage(folder) if (folder / SUMS).is_file() else ""
    if found:
        raise UserError(
            f"{folder} is damaged ({found}), and its weights lie nowhere else; put the folder back from a copy, or "
            "train the model again."
        )
