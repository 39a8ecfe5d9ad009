"""Standardising a score within each layer, for scores of which only rises above zero count."""

import numpy as np


def rising_z(values: np.ndarray) -> np.ndarray:
    """Return z-scores within the layer ``[n_layers, d_mlp]`` by which only positive values can be selected.

    z is over the layer's own neurons, with the population's deviation, since they are all there are.
    SafeNeuron's SAS and NeuroStrike's probe ask for z above a threshold *and* a positive value; with a
    threshold of at least 0, holding z at 0 or below where the value is not positive makes one comparison
    of the two. 0 throughout a layer whose values are all the same.
    """
    centre = values.mean(axis=1, keepdims=True)
    spread = values.std(axis=1, keepdims=True)
    z = np.divide(values - centre, spread, out=np.zeros_like(values), where=spread > 0)
    return np.where(values > 0, z, np.minimum(z, 0.0))
