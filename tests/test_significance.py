"""Permutation p-values against SciPy's, q-values against their definition, and intervals that cover."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from safeneuron.errors import UserError
from safeneuron.neurons import from_mask
from safeneuron.scores.es import effect_size
from safeneuron.scores.es_significance import SCORE
from safeneuron.scores.result import ScoreResult
from safeneuron.scores.score import Evidence
from safeneuron.significance import effect_size_interval, permutation_p_values, q_values, significant
from safeneuron.statistics import ActivationStatistics


@pytest.fixture
def rows():
    """Activations of 9 harmful and 14 benign prompts, ``[n, 2 layers, 20 neurons]``, shifted by neuron."""
    draw = np.random.default_rng(0)
    harmful = draw.normal(size=(9, 2, 20)) + np.linspace(-1.5, 1.5, 20)
    return harmful.astype(np.float32), draw.normal(size=(14, 2, 20)).astype(np.float32)


def d(harmful, benign, axis=-1):
    """Cohen's d from its definition, along an axis."""
    squares = [((x - x.mean(axis=axis, keepdims=True)) ** 2).sum(axis=axis) for x in (harmful, benign)]
    freedom = harmful.shape[axis] + benign.shape[axis] - 2
    return (harmful.mean(axis=axis) - benign.mean(axis=axis)) / np.sqrt(sum(squares) / freedom)


def test_p_values_are_scipys_within_the_error_of_drawing(rows, make_record):
    """Of d itself, so that comparing sums of activations instead is tested too."""
    harmful, benign = rows
    found = permutation_p_values(make_record(harmful), make_record(benign), 20_000)
    seen = []
    for neuron in range(0, 20, 3):
        samples = [part[:, 1, neuron].astype(np.float64) for part in rows]
        expected = stats.permutation_test(
            samples, d, n_resamples=20_000, alternative="greater", vectorized=True, rng=np.random.default_rng(1)
        ).pvalue
        error = np.sqrt(2 * expected * (1 - expected) / 20_000)
        assert abs(found[1, neuron] - expected) < 5 * error + 1e-4
        seen.append(expected)
    assert min(seen) < 0.02 and max(seen) > 0.9


def test_p_values_of_few_prompts_are_those_of_all_permutations(rows, make_record):
    harmful, benign = rows[0][:4], rows[1][:4]
    found = permutation_p_values(make_record(harmful), make_record(benign), 50_000)
    for neuron in range(20):
        samples = [part[:, 0, neuron].astype(np.float64) for part in (harmful, benign)]
        exact = stats.permutation_test(samples, d, n_resamples=np.inf, alternative="greater", vectorized=True).pvalue
        assert exact >= 1 / comb(8, 4)
        assert abs(found[0, neuron] - exact) < 5 * np.sqrt(exact * (1 - exact) / 50_000) + 1e-4


def test_p_values_of_labels_without_meaning_are_uniform(make_record):
    draw = np.random.default_rng(3)
    found = permutation_p_values(
        make_record(draw.normal(size=(11, 1, 3000))), make_record(draw.normal(size=(8, 1, 3000)))
    )
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.01
    assert (q_values(found) > 0.05).all()


def test_p_values_do_not_depend_on_the_order_of_the_prompts(rows, make_record):
    one = permutation_p_values(*(make_record(part) for part in rows))
    orders = [np.random.default_rng(1).permutation(len(part)) for part in rows]
    records = [
        make_record(part[order], [f"prompt {row:05}" for row in order])
        for part, order in zip(rows, orders, strict=True)
    ]
    np.testing.assert_array_equal(permutation_p_values(*records), one)


def test_a_constant_neuron_has_p_one(rows, make_record):
    for part in rows:
        part[:, 0, 3] = 0.1
        part[:, 1] = np.pi
    found = permutation_p_values(*(make_record(part) for part in rows))
    assert found[0, 3] == 1.0 and (found[1] == 1.0).all()
    assert found.min() >= 1 / 1001


def test_identical_neurons_have_identical_p(rows, make_record):
    for part in rows:
        part[:, 0] = part[:, 0, 18:19]
    found = permutation_p_values(*(make_record(part) for part in rows))
    assert len(set(found[0])) == 1 and found[0, 0] < 0.5


def test_q_values_are_benjamini_and_hochbergs():
    p = np.random.default_rng(0).beta(0.3, 1.0, size=(4, 25))
    order = np.sort(p.ravel())
    found = q_values(p)
    for place in np.ndindex(p.shape):
        expected = min(order[i] * 100 / (i + 1) for i in range(100) if order[i] >= p[place])
        assert found[place] == pytest.approx(min(expected, 1.0), rel=1e-12)
    # What q < 0.05 selects is what the step-up rule rejects.
    below = [i for i in range(100) if order[i] <= 0.05 * (i + 1) / 100]
    assert (found <= 0.05).sum() == below[-1] + 1 > 0


def evidence(harmful, benign, make_record):
    def statistics(rows):
        exact = rows.astype(np.float64)
        return ActivationStatistics(len(rows), exact.mean(axis=0), exact.var(axis=0, ddof=1), "last", "x")

    records = make_record(harmful), make_record(benign)
    return Evidence(lambda name: records if name == "record" else (statistics(harmful), statistics(benign)))


def test_the_score_is_minus_log_q_and_its_threshold_five_percent(make_record):
    draw = np.random.default_rng(5)
    harmful, benign = draw.normal(size=(20, 2, 60)).astype(np.float32), draw.normal(size=(20, 2, 60)).astype(np.float32)
    harmful[:, :, ::3] += 2
    found = SCORE.compute(evidence(harmful, benign, make_record), {"permutations": 1000})
    expected = q_values(permutation_p_values(make_record(harmful), make_record(benign)))
    np.testing.assert_allclose(10.0**-found, expected)
    assert (found >= 0).all() and not np.signbit(found).any()
    np.testing.assert_array_equal(found > SCORE.default_threshold, expected < 0.05)
    assert (found > SCORE.default_threshold)[:, ::3].all()
    assert (found > SCORE.default_threshold).sum() < 50


def test_rounding_is_not_significant(make_record):
    """The classes are read in different batches, so rounding alone can tell them apart."""
    constant = np.broadcast_to(np.random.default_rng(0).normal(size=(1, 2, 50)), (9, 2, 50)).astype(np.float32)
    shifted = constant * (1 + 4 * np.finfo(np.float32).eps)
    assert (permutation_p_values(make_record(shifted), make_record(constant)) < 0.01).any()
    found = SCORE.compute(evidence(shifted, constant, make_record), {"permutations": 200})
    np.testing.assert_array_equal(found, 0.0)


def test_a_sets_significant_neurons_are_counted():
    values = np.zeros((2, 5))
    values[0, 1], values[1, 2], values[1, 3] = 2.0, 1.4, 1.2
    result = ScoreResult("Significance", "m", values, {})
    mask = np.zeros((2, 5), dtype=bool)
    mask[0, :2] = mask[1, 2:] = True
    neurons = from_mask("x", "m", mask)
    assert significant(neurons, result) == 2
    assert significant(neurons, result, 0.1) == 3
    assert significant(from_mask("none", "m", np.zeros((2, 5), dtype=bool)), result) == 0
    with pytest.raises(UserError, match="another model"):
        significant(from_mask("x", "other", mask), result)
    with pytest.raises(UserError, match="no q-values"):
        significant(neurons, ScoreResult("ES", "m", values, {}))


def test_the_interval_is_around_the_scores_d():
    draw = np.random.default_rng(0)
    harmful, benign = draw.normal(1.0, 1.0, 40), draw.gamma(2.0, 0.5, 25)
    found = effect_size_interval(harmful.astype(np.float32), benign.astype(np.float32))
    statistics = [
        ActivationStatistics(len(x), x.mean().reshape(1, 1), x.var(ddof=1).reshape(1, 1), "last", "x")
        for x in (harmful, benign)
    ]
    assert found.effect_size == pytest.approx(effect_size(*statistics).item(), rel=1e-6)
    assert found.low < found.effect_size < found.high
    assert found == effect_size_interval(harmful.astype(np.float32), benign.astype(np.float32))
    narrow = effect_size_interval(harmful, benign, confidence=0.5)
    assert found.low < narrow.low < narrow.high < found.high


def test_intervals_cover_the_true_effect_size_about_as_often_as_they_say():
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        found = effect_size_interval(draw.normal(0.8, 1.0, 30), draw.normal(0.0, 1.0, 40), resamples=500)
        covered += found.low < 0.8 < found.high
    assert 85 <= covered <= 99


def test_each_class_is_resampled_by_itself():
    """Drawn from both classes together, d would come out on either side of 0."""
    draw = np.random.default_rng(2)
    found = effect_size_interval(draw.normal(10.0, 1.0, 12), draw.normal(0.0, 1.0, 12))
    assert 3 < found.low < found.effect_size < found.high


def test_a_sparse_neuron_has_an_interval():
    """In models with ReLU a neuron is 0 on most prompts; resamples without the others have d = 0."""
    harmful, benign = np.zeros(30), np.zeros(30)
    harmful[:3] = 1.0, 2.0, 0.5
    found = effect_size_interval(harmful, benign)
    assert 0 <= found.low < found.effect_size < found.high < 2


@pytest.mark.parametrize(("odd", "other"), [(3.0, 3.0), (3.0, 1.0), (3.5, 1.0)])
def test_a_neuron_that_hardly_varies_has_no_interval(odd, other, recwarn):
    assert effect_size_interval(np.array([odd] + [3.0] * 8), np.full(9, other)) is None
    assert not recwarn.list


def test_an_interval_of_few_prompts_is_refused():
    with pytest.raises(UserError, match="at least 5 prompts.*4 and 9"):
        effect_size_interval(np.arange(4.0), np.arange(9.0))
    assert effect_size_interval(np.arange(5.0), np.arange(9.0)) is not None
