"""The hub's local cache, as huggingface_hub lays it out: which models lie there whole.

Nothing is imported but the cache's place (``HF_HOME``, ``HF_HUB_CACHE``), nothing is asked, nothing hashed.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.model_files import INDEX, SMALL_FILES, VOCABULARIES, WEIGHTS, weight_files

COMMIT = re.compile("[0-9a-f]{40}")


def wanted_files(repository: str, names: Iterable[str]) -> list[str]:
    """Return which of a repository's files are needed: no code, no pickles, no second copy of the weights.

    Of weights in several files only the index: it alone says which those are, whatever their names.

    Raises
    ------
    UserError
        When the repository holds no whole model in safetensors.
    """
    names = set(names)
    if "config.json" not in names:
        kind = "an adapter" if "adapter_config.json" in names else "no model of transformers"
        raise UserError(
            f"{repository} holds {kind}; give a repository with a config.json (download an adapter, and write "
            "BASE::FOLDER)."
        )
    weights = next((name for name in (WEIGHTS, INDEX) if name in names), None)
    if weights is None:
        raise UserError(
            f"{repository} holds no {WEIGHTS}; choose one that does, or convert it first "
            "(pickle weights are not opened: they can run code)."
        )
    return sorted([weights, *(name for name in SMALL_FILES if name in names)])


def repository_folder(repository: str) -> Path:
    """Return where the cache keeps a repository."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / constants.REPO_ID_SEPARATOR.join(["models", *repository.split("/")])


def cached_snapshot(repository: str, revision: str | None) -> Path | None:
    """Return the folder of a revision (a branch, tag or commit; ``main`` by default) if it lies in the cache whole."""
    storage, revision = repository_folder(repository), revision or "main"
    reference = storage / "refs" / revision
    commit = revision if COMMIT.fullmatch(revision) else reference.read_text().strip() if reference.is_file() else ""
    folder = storage / "snapshots" / commit
    return folder if commit and folder.is_dir() and _is_whole(folder) else None


def cached_names() -> Iterator[tuple[str, Path]]:
    """Yield the name and the folder of every model that lies in the cache whole."""
    from huggingface_hub import constants

    for storage in sorted(Path(constants.HF_HUB_CACHE).glob("models--*")):
        repository = "/".join(storage.name.split(constants.REPO_ID_SEPARATOR)[1:])
        for reference in sorted(path for path in (storage / "refs").rglob("*") if path.is_file()):
            revision = reference.relative_to(storage / "refs").as_posix()
            folder = cached_snapshot(repository, revision)
            if folder:
                yield repository if revision == "main" else f"{repository}@{revision}", folder


def _is_whole(folder: Path) -> bool:
    """Return whether every file that is needed is there; the cache never holds half a file under its name."""
    try:
        files = weight_files(folder)  # all that an index names
    except UserError:
        return False
    if not files or not (folder / "config.json").is_file() or not any((folder / n).is_file() for n in VOCABULARIES):
        return False
    # What an interrupted download has not reached yet: huggingface_hub keeps the list of the commit's files.
    listing = folder.parents[1] / "trees" / f"{folder.name}.json"
    try:
        names = json.loads(listing.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return True  # fetched file by file, by transformers: there is no list, and what it needed is there
    try:
        return all((folder / name).is_file() for name in wanted_files("", names))
    except UserError:
        return False
