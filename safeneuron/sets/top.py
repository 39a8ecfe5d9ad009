"""The neurons with the highest score."""

import numpy as np

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.scores.score import ScoreTable, scores


def score_values(table: ScoreTable, name: str) -> np.ndarray:
    """Return a score's values ``[n_layers, d_mlp]``: the one place where an expression reaches for a score.

    Those that are not computed where they are shown are taken as they were kept, on the built-in prompts, with
    the score's own options.

    Raises
    ------
    UserError
        When the score was not computed for this model yet.
    """
    if scores()[name].immediate:
        return table.values(name)
    from safeneuron.scoring import kept_score

    found = kept_score(name, table.model)
    if found is None:
        raise UserError(
            f"{name} has not been computed for this model; compute it on the Neurons page or with 'score --methods "
            f"{name}'."
        )
    return found.values


def top_neurons(
    values: np.ndarray, count: int, outside: NeuronSet | None = None, text: str = "top"
) -> frozenset[Neuron]:
    """Return the ``count`` neurons with the highest score.

    Parameters
    ----------
    values : ndarray ``[n_layers, d_mlp]``
        Of equal ones the lower layer comes first, then the lower index. What is no number comes last, and is
        never taken.
    outside : NeuronSet, optional
        None of its neurons is taken.
    text : str
        Of the expression, for the message.

    Raises
    ------
    UserError
        When there are fewer.
    """
    flat = values.ravel()
    free = ~np.isnan(flat) if outside is None else ~np.isnan(flat) & ~outside.mask().ravel()
    order = np.argsort(-flat, kind="stable")
    order = order[free[order]]
    if count > len(order):
        raise UserError(f"{text!r} asks for {count:,} neurons and there are {len(order):,}; ask for fewer.")
    layers, indices = np.unravel_index(order[:count], values.shape)
    return frozenset(zip(layers.tolist(), indices.tolist(), strict=True))
