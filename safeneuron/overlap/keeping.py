"""Results of the analysis that take time, kept as safetensors under a fingerprint of all that they depend on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from safeneuron.workspace import discarded, fingerprint, replacing, workspace

REVISION = 1
"""Raised when something is computed otherwise, so that older results are made again."""
_TENSORS = "arrays.safetensors"


def kept_arrays(*depends: Any) -> dict[str, np.ndarray] | None:
    """Return arrays that were kept, or None where there are none.

    Parameters
    ----------
    *depends
        What the arrays are, and everything that they were computed from; JSON-like.

    Raises
    ------
    UserError
        When they are damaged; they are then deleted, so that the next try makes them anew.
    """
    folder = _folder(depends)
    if not folder.is_dir():
        return None
    try:
        return load_file(folder / _TENSORS)
    except (OSError, SafetensorError) as error:
        raise discarded(folder, "A kept result of the Overlap page") from error


def are_kept(*depends: Any) -> bool:
    """Tell whether :func:`kept_arrays` has something to read, without reading it."""
    return _folder(depends).is_dir()


def keep_arrays(arrays: Mapping[str, np.ndarray], *depends: Any) -> None:
    """Keep arrays for :func:`kept_arrays`."""
    with replacing(_folder(depends)) as staging:
        staging.mkdir()
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, staging / _TENSORS)


def _folder(depends: tuple[Any, ...]) -> Path:
    return workspace() / "overlap" / fingerprint(REVISION, *depends)
