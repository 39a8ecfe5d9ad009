"""The probe's weights are the minimum of the stated loss, and its score NeuroStrike's selection."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import zscore

from safeneuron.errors import UserError
from safeneuron.scores.probe import SCORE, probe_weights
from safeneuron.scores.score import Evidence


@pytest.fixture
def rows():
    """Activations of 9 harmful and 14 benign prompts, ``[n, 3 layers, 40 neurons]``."""
    draw = np.random.default_rng(0)
    harmful = 2.0 * draw.normal(size=(9, 3, 40)) + draw.normal(size=(3, 40))
    return harmful.astype(np.float32), draw.normal(size=(14, 3, 40)).astype(np.float32)


def minimum(harmful, benign, regularisation):
    """The loss of the docstring, minimised from its definition, of one layer."""
    x = np.concatenate([harmful, benign]).astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = np.array([1.0] * len(harmful) + [-1.0] * len(benign))

    def loss(w):
        margins = y * (x @ w[:-1] + w[-1])
        slope = -y / (1 + np.exp(margins)) / len(y)
        value = np.logaddexp(0, -margins).mean() + regularisation / 2 * w[:-1] @ w[:-1]
        return value, np.append(slope @ x + regularisation * w[:-1], slope.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert np.abs(found.jac).max() < 1e-7
    return found.x[:-1]


@pytest.mark.parametrize("regularisation", [0.001, 0.1, 10.0])
def test_weights_are_the_minimum_of_the_loss(rows, make_record, regularisation):
    harmful, benign = rows
    found = probe_weights(make_record(harmful), make_record(benign), regularisation)
    for layer in range(3):
        expected = minimum(harmful[:, layer], benign[:, layer], regularisation)
        np.testing.assert_allclose(found[layer], expected, atol=2e-4 * np.abs(expected).max())


def scored(harmful, benign, regularisation=0.001):
    return SCORE.compute(Evidence(lambda name: (harmful, benign)), {"regularisation": regularisation})


def test_the_score_selects_what_neurostrike_selects(rows, make_record):
    records = [make_record(part) for part in rows]
    weights = probe_weights(*records, 0.01)
    z = zscore(weights, axis=1)
    found = scored(*records, 0.01)
    for threshold in (0.5, 1.0, 2.0):
        selected = (np.abs(z) > threshold) & (weights > 0)
        # A negative z of a positive weight is a small weight, not a strong one.
        np.testing.assert_array_equal(found > threshold, selected & (z > 0))
        assert selected.any()
    assert (found[weights <= 0] <= 0).all() and ((z > 0) & (weights <= 0)).any()


def test_the_order_of_the_prompts_does_not_matter(rows, make_record):
    one = probe_weights(*(make_record(part) for part in rows), 0.01)
    backwards = [make_record(part[::-1], [f"prompt {row:05}" for row in range(len(part))][::-1]) for part in rows]
    np.testing.assert_array_equal(probe_weights(*backwards, 0.01), one)


def test_a_neurons_scale_does_not_matter(rows, make_record):
    """A power of two, so that standardising gives the same bits."""
    scaled = [part * np.where(np.arange(40) % 3 == 0, 1024, 1).astype(np.float32) for part in rows]
    found = [probe_weights(*(make_record(part) for part in parts), 0.01) for parts in (rows, scaled)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


def test_a_constant_neuron_has_no_weight_and_a_constant_layer_no_score(rows, make_record, recwarn):
    harmful, benign = (part.copy() for part in rows)
    for part in (harmful, benign):
        part[:, 0, 7] = 0.3
        part[:, 1] = np.arange(40)
    # The last bits of what is the same in every prompt differ from batch to batch.
    harmful[:, 0, 7] *= 1 + 4 * np.finfo(np.float32).eps
    records = make_record(harmful), make_record(benign)
    assert probe_weights(*records, 0.01)[0, 7] == 0
    found = scored(*records)
    assert found[0, 7] <= 0
    np.testing.assert_array_equal(found[1], 0.0)
    assert (found[2] > 0).any() and not recwarn.list


def test_identical_columns_share_one_weight(rows, make_record):
    harmful, benign = (part.copy() for part in rows)
    for part in (harmful, benign):
        part[:, 0] = part[:, 0, :1]
    weights = probe_weights(make_record(harmful), make_record(benign), 0.01)
    assert weights[0, 0] != 0
    np.testing.assert_allclose(weights[0], weights[0, 0], rtol=1e-6)


def test_two_prompts_a_class_are_enough(rows, make_record):
    found = scored(*(make_record(part[:2]) for part in rows))
    assert np.isfinite(found).all() and (found > 0).any()


def test_a_minimum_that_is_not_found_is_said(rows, make_record, monkeypatch):
    from sklearn import linear_model

    class Hurried(linear_model.LogisticRegression):
        def __init__(self, **settings):
            super().__init__(**(settings | {"max_iter": 1}))

    monkeypatch.setattr(linear_model, "LogisticRegression", Hurried)
    with pytest.raises(UserError, match="larger regularisation"):
        probe_weights(*(make_record(part) for part in rows), 0.001)


def test_progress_can_stop_it(rows, make_record):
    class Stop(Exception):
        pass

    def stop(step, fraction):
        assert step == "Fitting a probe in every layer"
        if fraction > 0:
            raise Stop

    with pytest.raises(Stop):
        probe_weights(*(make_record(part) for part in rows), 0.1, stop)
