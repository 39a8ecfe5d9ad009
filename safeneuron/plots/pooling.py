"""Neighbouring neurons put together, so that a wide layer can be drawn and no outlier disappears."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pooled:
    """A matrix in bins along the neurons.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, bins]``: of each bin, the value of its strongest neuron.
    index : numpy.ndarray
        ``[n_layers, bins]``: which neuron that is.
    width : int
        Neurons in a bin; the last may hold fewer.
    """

    values: np.ndarray
    index: np.ndarray
    width: int


def pool(values: np.ndarray, bins: int, coarser: int = 1) -> Pooled:
    """Return at most ``bins`` bins per layer, each with its largest value.

    With ``coarser`` each is made of so many of those bins, so that their edges meet.
    """
    layers, neurons = values.shape
    width = -(-neurons // bins) * coarser
    count = -(-neurons // width)
    padded = np.full((layers, count * width), -np.inf, dtype=values.dtype)
    padded[:, :neurons] = values
    index = padded.reshape(layers, count, width).argmax(axis=2) + np.arange(count) * width
    return Pooled(np.take_along_axis(values, index, axis=1), index, width)
