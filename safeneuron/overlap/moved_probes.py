"""Whether harm is still read from the same layers, and along the same directions, after training.

For each of several models of one shape, on the same prompts as the base: its own linear probe at each layer
(``probes.py``), and the base's probe tested on it. Where its own probe is right and the base's is not, harm can be
read as before, but along another direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safeneuron.overlap.keeping import are_kept, keep_arrays, kept_arrays
from safeneuron.overlap.material import Material, streamed
from safeneuron.overlap.probes import ProbeAccuracies, carried_probes
from safeneuron.overlap.representation import probes_are_kept, probes_of
from safeneuron.overlap.two_sets import require_one_shape
from safeneuron.progress import Progress, silent


@dataclass(frozen=True)
class ProbesOf:
    """The probes of one model, and the base's on it.

    Parameters
    ----------
    title : str
    own : ProbeAccuracies
    carried : numpy.ndarray
        ``[n_folds, n_layers]``, balanced accuracy of the base's probes on this model.
    """

    title: str
    own: ProbeAccuracies
    carried: np.ndarray

    @property
    def carried_accuracy(self) -> np.ndarray:
        """Of the base's probe at each layer, mean over folds ``[n_layers]``."""
        return self.carried.mean(axis=0)


@dataclass(frozen=True)
class MovedProbes:
    """The base's probes, and those of the models beside it."""

    base: ProbeAccuracies
    others: tuple[ProbesOf, ...]


def moved_probes(base: Material, others: Mapping[str, Material], progress: Progress = silent) -> MovedProbes:
    """Return the probes of the base and of each model, by its title; what was computed before is read.

    Raises
    ------
    UserError
        When a model has not read the prompts yet, they are too few, or the models differ in shape.
    """
    streams, own = streamed(base), probes_of(base, progress)
    found = []
    for title, material in others.items():
        theirs = streamed(material)
        require_one_shape(title, theirs[0].shape[1:], streams[0].shape[1:], "numbers in its residual stream")
        carried = kept_arrays(*_depends(base, material))
        if carried is None:
            carried = {"folds": carried_probes(streams, theirs, progress)}
            keep_arrays(carried, *_depends(base, material))
        found.append(ProbesOf(title, probes_of(material, progress), carried["folds"]))
    return MovedProbes(own, tuple(found))


def probes_kept(base: Material, others: Mapping[str, Material]) -> bool:
    """Return whether :func:`moved_probes` has nothing left to compute."""
    return all(probes_are_kept(material) for material in (base, *others.values())) and all(
        are_kept(*_depends(base, material)) for material in others.values()
    )


def _depends(base: Material, other: Material) -> tuple[str, ...]:
    return "carried probes", base.fingerprint, other.fingerprint
