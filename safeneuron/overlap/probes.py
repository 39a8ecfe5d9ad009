"""What a linear probe can read from each layer's residual stream, and whether it can from another layer's.

A probe is a logistic regression (scikit-learn's, L2, both classes with the same weight) on the residual stream at
the last prompt token. It is fitted on some prompts and tested on others (stratified k-fold, seeded), so that
with more dimensions than prompts it cannot score by heart. All numbers are balanced accuracies: the mean of the
share of harmful and the share of benign prompts told rightly; 0.5 is chance.

Every layer is standardised by the mean and deviation of its own training prompts. Across layers, a probe so asks
whether the same direction separates the classes, not whether the stream is as long there. Across categories, a
probe is fitted on one category's harmful prompts against the benign ones, and tested on another's, against benign
prompts that it has not seen. Across models, a probe fitted on one is tested on the same layer of another.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from safeneuron.errors import UserError
from safeneuron.observations.record import ActivationRecord, both_classes
from safeneuron.overlap.categories import FEWEST, check_categories, rows_of
from safeneuron.progress import Progress, silent

FOLDS = 5
SEED = 0
STRENGTH = 0.01
"""scikit-learn's C. Small: there are about as many dimensions as prompts, of which most tell nothing."""


@dataclass(frozen=True)
class ProbeAccuracies:
    """Balanced accuracies of every layer's probe.

    Parameters
    ----------
    folds : numpy.ndarray
        ``[n_folds, n_layers, n_layers]``: fitted on layer i, tested on layer j, on the fold's own test prompts.
    """

    folds: np.ndarray

    @property
    def transfer(self) -> np.ndarray:
        """Mean over folds ``[n_layers, n_layers]``, fitted on the row's layer and tested on the column's."""
        return self.folds.mean(axis=0)

    @property
    def accuracy(self) -> np.ndarray:
        """Of each layer's probe on its own layer ``[n_layers]``."""
        return np.diag(self.transfer)

    @property
    def best(self) -> int:
        """The layer whose probe is right most often; the first of several."""
        return int(np.argmax(self.accuracy))

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of that over the folds ``[n_layers]``."""
        return np.diagonal(self.folds, axis1=1, axis2=2).std(axis=0, ddof=1)


def layer_probes(harmful: ActivationRecord, benign: ActivationRecord, progress: Progress = silent) -> ProbeAccuracies:
    """Return how well each layer's probe tells harmful from benign prompts, on its own layer and on every other.

    Raises
    ------
    UserError
        When a class has fewer prompts than there are folds.
    """
    _check(len(harmful.prompts), len(benign.prompts))
    _, layers, width = harmful.shape
    labels = np.repeat([1, 0], [len(harmful.prompts), len(benign.prompts)])
    folds = list(_folds(labels))
    weights, biases = np.empty((len(folds), layers, width)), np.empty((len(folds), layers))
    for layer in range(layers):
        progress("Fitting a probe in every layer", layer / layers)
        stream = both_classes(harmful, benign, layer)
        for number, (train, _) in enumerate(folds):
            rows = _standardised(stream, train)
            weights[number, layer], biases[number, layer] = _fitted(rows[train], labels[train])
    progress("Fitting a probe in every layer", 1.0)
    found = np.empty((len(folds), layers, layers))
    # One layer in memory at a time: all of a large model's would be gigabytes.
    for layer in range(layers):
        stream = both_classes(harmful, benign, layer)
        for number, (train, test) in enumerate(folds):
            told = weights[number] @ _standardised(stream, train)[test].T + biases[number][:, None] > 0
            found[number, :, layer] = _balanced(told, labels[test])
    return ProbeAccuracies(found)


def carried_probes(
    base: tuple[ActivationRecord, ActivationRecord],
    other: tuple[ActivationRecord, ActivationRecord],
    progress: Progress = silent,
) -> np.ndarray:
    """Return how well each layer's probe, fitted on one model, tells the classes in the same layer of another.

    Parameters
    ----------
    base, other : (ActivationRecord, ActivationRecord)
        The residual streams of the same harmful and benign prompts.

    Returns
    -------
    numpy.ndarray
        ``[n_folds, n_layers]``, balanced accuracies on prompts that the probe has not seen. As across layers, each
        model's stream is standardised by its own training prompts.

    Raises
    ------
    UserError
        When a class has fewer prompts than there are folds.
    """
    counts = [len(record.prompts) for record in base]
    _check(*counts)
    labels = np.repeat([1, 0], counts)
    folds = list(_folds(labels))
    layers = base[0].shape[1]
    found = np.empty((len(folds), layers))
    for layer in range(layers):
        progress("Trying the base's probes on another model", layer / layers)
        own, theirs = (both_classes(*records, layer) for records in (base, other))
        for number, (train, test) in enumerate(folds):
            weights, bias = _fitted(_standardised(own, train)[train], labels[train])
            told = _standardised(theirs, train)[test] @ weights + bias > 0
            found[number, layer] = _balanced(told, labels[test])
    progress("Trying the base's probes on another model", 1.0)
    return found


def category_probes(
    harmful: ActivationRecord,
    benign: ActivationRecord,
    categories: Mapping[str, str],
    progress: Progress = silent,
) -> np.ndarray:
    """Return how well a probe fitted on one category tells another's harmful prompts from benign ones.

    Parameters
    ----------
    categories : mapping of str to str
        The category of each harmful prompt; those with fewer than ``FEWEST`` prompts are left out.

    Returns
    -------
    numpy.ndarray
        ``[n_layers, n_categories, n_categories]``: fitted on the row's category, tested on the column's prompts that
        it has not seen; means over folds. Names: :func:`probed_categories`.

    Raises
    ------
    UserError
        When fewer than two categories have enough prompts.
    """
    _check(len(harmful.prompts), len(benign.prompts))
    names = probed_categories(harmful.prompts, categories)
    check_categories(names)
    ordered = [categories.get(prompt, "") for prompt in sorted(harmful.prompts)]
    labels = np.array([names.index(name) if name in names else -1 for name in ordered])
    # Benign prompts are a class of their own, so that every fold tests each category and some benign ones.
    kinds = np.concatenate([labels, np.full(len(benign.prompts), len(names))])
    used = np.flatnonzero(kinds >= 0)
    folds = [(used[train], used[test]) for train, test in _folds(kinds[used])]
    layers = harmful.shape[1]
    found = np.zeros((layers, len(names), len(names)))
    for layer in range(layers):
        progress("Fitting a probe for every category", layer / layers)
        stream = both_classes(harmful, benign, layer)
        for train, test in folds:
            for row in range(len(names)):
                chosen = train[(kinds[train] == row) | (kinds[train] == len(names))]
                rows = _standardised(stream, chosen)
                weights, bias = _fitted(rows[chosen], kinds[chosen] == row)
                told = rows[test] @ weights + bias > 0
                rejected = 1 - told[kinds[test] == len(names)].mean()
                caught = [told[kinds[test] == column].mean() for column in range(len(names))]
                found[layer, row] += (np.array(caught) + rejected) / 2 / len(folds)
    progress("Fitting a probe for every category", 1.0)
    return found


def probed_categories(prompts: Sequence[str], categories: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the categories with enough prompts for a probe."""
    return tuple(name for name, rows in rows_of(prompts, categories).items() if len(rows) >= FEWEST)


def _check(n_harmful: int, n_benign: int) -> None:
    if min(n_harmful, n_benign) < FOLDS:
        raise UserError(
            f"Probes are tested in {FOLDS} folds, and the classes have {n_harmful} and {n_benign} prompts; give at "
            f"least {FOLDS} of each."
        )


def _folds(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    # Here, since importing it takes seconds, and kept results are shown without.
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(labels, labels)


def _standardised(rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return ``[n, d_model]`` by mean and deviation of the training rows; what does not vary there becomes 0."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(rows[train]).transform(rows)


def _fitted(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the weights ``[d_model]`` and the bias of a probe, whose sum is above 0 for the label 1."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            probe.fit(rows, labels)
        except ConvergenceWarning:
            raise UserError("A probe found no minimum; give prompts of more different wordings.") from None
    return probe.coef_[0], float(probe.intercept_[0])


def _balanced(told: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the balanced accuracy of each row of ``[..., n]``."""
    return (told[..., labels == 1].mean(axis=-1) + 1 - told[..., labels == 0].mean(axis=-1)) / 2
