"""What moved from a model to those that were trained from it: their safety neurons, and what their layers represent.

For each of several models of one shape, on the same prompts as the base: which of its safety neurons are still some
(the paper's question whether sets are stable, arXiv 2602.12158, section 4.5), linear CKA of each layer to the base's
(``similarity.py``), and the cosine of each layer's harmful-minus-benign direction with the base's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safeneuron.overlap.depth import DepthProfile, depth_profiles
from safeneuron.overlap.directions import mean_differences
from safeneuron.overlap.material import Material, scored, streamed
from safeneuron.overlap.similarity import drift
from safeneuron.overlap.two_sets import LayerOverlap, layer_overlap, require_neurons, require_one_shape


@dataclass(frozen=True)
class Moved:
    """One model beside its base.

    Parameters
    ----------
    title : str
    overlap : LayerOverlap or None
        The base's FULL and its own; None where it has no safety neuron under these thresholds.
    base, own : DepthProfile
        Of the two sets.
    harmful, benign : numpy.ndarray
        ``[n_layers]``, CKA of each layer with the base's, on each class of prompts.
    turned : numpy.ndarray
        ``[n_layers]``, cosine of the two models' directions harmful minus benign.
    """

    title: str
    overlap: LayerOverlap | None
    base: DepthProfile
    own: DepthProfile
    harmful: np.ndarray
    benign: np.ndarray
    turned: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Share of the base's safety neurons of each layer that are still some; not a number where it has none."""
        count = self.base.counts
        shared = np.zeros(len(count)) if self.overlap is None else self.overlap.shared
        return np.divide(shared, count, out=np.full(len(count), np.nan), where=count > 0)

    @property
    def means(self) -> tuple[float, float, float]:
        """Mean over layers of CKA on harmful and on benign prompts, and of the directions' cosine."""
        return tuple(float(np.nanmean(values)) for values in (self.harmful, self.benign, self.turned))


def moved(base: Material, others: Mapping[str, Material], thresholds: Mapping[str, float]) -> tuple[Moved, ...]:
    """Return what moved in each model, by its title.

    Raises
    ------
    UserError
        When a model has not read the prompts yet, the models differ in shape, or the base has no safety neuron.
    """
    full = scored(base).select(thresholds)["FULL"]
    require_neurons(full, "FULL of the base")
    streams = streamed(base)
    directions = mean_differences(*streams)
    found = []
    for title, material in others.items():
        theirs = scored(material).select(thresholds)["FULL"]
        require_one_shape(title, theirs.shape, full.shape)
        their_streams = streamed(material)
        harmful, benign = (drift(*pair) for pair in zip(streams, their_streams, strict=True))
        found.append(
            Moved(
                title=title,
                overlap=layer_overlap(full, theirs, ("FULL of the base", f"FULL of {title}"))
                if theirs.neurons
                else None,
                base=depth_profiles({"base": full})[0],
                own=depth_profiles({title: theirs})[0],
                harmful=harmful,
                benign=benign,
                turned=_cosines(directions, mean_differences(*their_streams)),
            )
        )
    return tuple(found)


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of one with the same row of the other ``[n]``; not a number where one is 0."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.divide((first * second).sum(axis=1), lengths, out=np.full(len(lengths), np.nan), where=lengths > 0)
