"""In which order the neurons of a layer stand on the map: by their index, by a score, or by cluster.

An order says which neuron stands at each place. A neuron's index has no meaning, so any order is as
true as another; one by cluster puts neurons side by side that are active on the same prompts.
"""

from dataclasses import dataclass

import numpy as np

MAX_CLUSTERS = 64
NEURONS_PER_CLUSTER = 24
SEED = 0


@dataclass(frozen=True)
class Order:
    """Which neuron stands at each place of each layer.

    Parameters
    ----------
    name : {"score", "cluster"}
        What it is made by; the order by index needs no :class:`Order`.
    neurons : numpy.ndarray
        ``[n_layers, d_mlp]``, integers: the neuron at each place; each row a permutation.
    """

    name: str
    neurons: np.ndarray

    def places(self) -> np.ndarray:
        """Return the other way round ``[n_layers, d_mlp]``: the place of each neuron."""
        places = np.empty_like(self.neurons)
        np.put_along_axis(places, self.neurons, np.arange(self.neurons.shape[1])[None, :], axis=1)
        return places


def by_score(values: np.ndarray, by_magnitude: bool = False) -> Order:
    """Return each layer's neurons from the highest score (or the largest, whatever its sign) down.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``. Neurons with the same score stay in the order of their index.
    """
    strength = np.abs(values) if by_magnitude else values
    return Order("score", np.argsort(-strength, axis=1, kind="stable"))


def ranks(values: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """Return the rank of some neurons in their layer; 1 is the highest, and equal values share the best rank.

    Parameters
    ----------
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    neurons : numpy.ndarray
        ``[n_layers, k]``, indices.

    Returns
    -------
    numpy.ndarray
        ``[n_layers, k]``, integers.
    """
    ascending = np.sort(values, axis=1)
    wanted = np.take_along_axis(values, neurons, axis=1)
    above = [len(row) - np.searchsorted(row, some, side="right") for row, some in zip(ascending, wanted, strict=True)]
    return np.array(above).reshape(wanted.shape) + 1


def cluster_order(activations: np.ndarray) -> np.ndarray:
    """Return one layer's neurons so that those active on the same prompts stand side by side.

    Each neuron's activations are standardised over the prompts, so that the distance of two neurons
    falls with their correlation. K-means (scikit-learn's ``MiniBatchKMeans``, which 28,672 neurons
    allow, with a fixed seed) puts them into clusters; the clusters stand in the optimal leaf order of
    their average-linkage tree (Bar-Joseph et al. 2001, SciPy's ``optimal_leaf_ordering``), and within
    a cluster the most typical neuron is first. Neurons that never vary come last, by index.

    Parameters
    ----------
    activations : numpy.ndarray
        ``[n_prompts, d_mlp]``: one number per prompt and neuron, of one layer.

    Returns
    -------
    numpy.ndarray
        ``[d_mlp]``, integers: the neuron at each place. The same activations give the same order.
    """
    profiles = np.asarray(activations, dtype=np.float32).T
    spread = profiles.std(axis=1, keepdims=True)
    varies = np.flatnonzero(spread[:, 0] > 0)
    constant = np.flatnonzero(spread[:, 0] == 0)
    profiles = (profiles[varies] - profiles[varies].mean(axis=1, keepdims=True)) / spread[varies]
    count = min(MAX_CLUSTERS, -(-len(varies) // NEURONS_PER_CLUSTER))
    if count < 2:
        return np.concatenate([varies, constant])
    cluster, centres = _clusters(profiles, count)
    turn = np.empty(len(centres), dtype=int)
    turn[_side_by_side(centres)] = np.arange(len(centres))
    from_centre = np.linalg.norm(profiles - centres[cluster], axis=1)
    return np.concatenate([varies[np.lexsort((from_centre, turn[cluster]))], constant])


def _clusters(profiles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each profile's cluster ``[n]``, and the centres ``[count, n_prompts]``."""
    # Imported here: only this order needs it, and it takes a second.
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(count, random_state=SEED, n_init=1, batch_size=2048, max_iter=20).fit(profiles)
    return found.labels_, found.cluster_centers_


def _side_by_side(centres: np.ndarray) -> np.ndarray:
    """Return the clusters in the order in which neighbours are most alike."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    return leaves_list(linkage(centres, method="average", optimal_ordering=True))
