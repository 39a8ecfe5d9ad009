"""How the layers' representations overlap, all of it for one model: computed once, kept part by part.

From the residual stream at the last prompt token of every prompt (``material.py``); no model in memory is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from safeneuron.overlap import directions
from safeneuron.overlap.keeping import are_kept, keep_arrays, kept_arrays
from safeneuron.overlap.material import Material, streamed
from safeneuron.overlap.probes import ProbeAccuracies, category_probes, layer_probes, probed_categories
from safeneuron.overlap.similarity import layer_similarity
from safeneuron.progress import Progress, silent

Part = dict[str, np.ndarray]


@dataclass(frozen=True)
class Representation:
    """What the residual streams of a model's layers have in common.

    Parameters
    ----------
    harmful, benign : numpy.ndarray
        ``[n_layers, n_layers]``, debiased linear CKA on each class.
    cosines : numpy.ndarray
        ``[n_layers, n_layers]``, of the layers' mean differences harmful minus benign.
    angles : numpy.ndarray
        ``[n_layers, n_layers, k]``, principal angles of the difference subspaces in degrees, smallest first.
    chance_angle : float
        Mean principal angle of two random subspaces.
    probes : ProbeAccuracies
    categories : tuple of str
        With enough prompts to fit a probe on; empty where there are fewer than two.
    category_transfer : numpy.ndarray
        ``[n_layers, n_categories, n_categories]``.
    """

    harmful: np.ndarray
    benign: np.ndarray
    cosines: np.ndarray
    angles: np.ndarray
    chance_angle: float
    probes: ProbeAccuracies
    categories: tuple[str, ...]
    category_transfer: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """CKA on harmful less CKA on benign prompts ``[n_layers, n_layers]``."""
        return self.harmful - self.benign

    @property
    def angle(self) -> np.ndarray:
        """Mean principal angle of every two layers ``[n_layers, n_layers]``, degrees."""
        return self.angles.mean(axis=2)


def represent(material: Material, progress: Progress = silent) -> Representation:
    """Return a model's representations compared; what was computed before is read, a stopped run is gone on with.

    Raises
    ------
    UserError
        When the prompts were not read yet, or are too few.
    """
    streamed(material)
    for name in _parts(material, silent):
        _made(material, name, progress)
    return kept_representation(material)


def probes_of(material: Material, progress: Progress = silent) -> ProbeAccuracies:
    """Return the part of :func:`represent` on each layer's probe alone; raises as that does."""
    streamed(material)
    return ProbeAccuracies(_made(material, "probes", progress)["folds"])


def probes_are_kept(material: Material) -> bool:
    """Tell whether :func:`probes_of` has nothing left to compute."""
    return are_kept(*_depends(material, "probes"))


def kept_representation(material: Material) -> Representation | None:
    """Return what :func:`represent` computed before, or None where a part is missing."""
    found: Part = {}
    for name in _parts(material, silent):
        part = kept_arrays(*_depends(material, name))
        if part is None:
            return None
        found |= part
    return Representation(
        harmful=found["harmful"],
        benign=found["benign"],
        cosines=found["cosines"],
        angles=found["angles"],
        chance_angle=float(found["chance"]),
        probes=ProbeAccuracies(found["folds"]),
        categories=_categories(material),
        category_transfer=found["transfer"],
    )


def _parts(material: Material, progress: Progress) -> dict[str, Callable[[], Part]]:
    """Return what makes each part, by name."""
    return {
        "similarity": lambda: _similarity(material, progress),
        "directions": lambda: _directions(material, progress),
        "probes": lambda: {"folds": layer_probes(*streamed(material), progress).folds},
        "transfer": lambda: {"transfer": _transfer(material, progress)},
    }


def _made(material: Material, name: str, progress: Progress) -> Part:
    """Return a part, computed unless it is kept."""
    found = kept_arrays(*_depends(material, name))
    if found is None:
        found = _parts(material, progress)[name]()
        keep_arrays(found, *_depends(material, name))
    return found


def _depends(material: Material, name: str) -> tuple[str, ...]:
    return "representation", name, material.fingerprint


def _similarity(material: Material, progress: Progress) -> Part:
    harmful, benign = streamed(material)
    return {"harmful": layer_similarity(harmful, progress=progress), "benign": layer_similarity(benign)}


def _directions(material: Material, progress: Progress) -> Part:
    harmful, benign = streamed(material)
    subspaces = directions.difference_subspaces(harmful, benign, progress=progress)
    _, k, width = subspaces.shape
    return {
        "cosines": directions.cosines(directions.mean_differences(harmful, benign)),
        "angles": directions.principal_angles(subspaces),
        "chance": np.array(directions.angle_of_chance(k, width)),
    }


def _transfer(material: Material, progress: Progress) -> np.ndarray:
    harmful, benign = streamed(material)
    if not _categories(material):
        return np.empty((harmful.shape[1], 0, 0))
    return category_probes(harmful, benign, material.categories, progress)


def _categories(material: Material) -> tuple[str, ...]:
    found = probed_categories(material.targets[0].prompts, material.categories)
    return found if len(found) > 1 else ()
