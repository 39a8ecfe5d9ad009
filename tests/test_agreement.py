"""Agreement between scores: SciPy's rank correlation, and the overlap of tops counted one set at a time."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from safeneuron.agreement import agreement
from safeneuron.errors import UserError
from safeneuron.scores.result import ScoreResult


def result(values, name="ES", model="m"):
    return ScoreResult(name, model, np.asarray(values, dtype=float), {})


@pytest.fixture
def results():
    """Three scores of 5 x 80 neurons that share part of their values, one with ties."""
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(5, 80))
    values = {
        "ES": shared + draw.normal(size=(5, 80)),
        "SAS": shared,
        "Probe": np.round(shared - draw.normal(size=(5, 80))),
    }
    return [result(found, name) for name, found in values.items()]


def test_ranks_correlate_as_scipys(results):
    found = agreement(results)
    assert found.names == ("ES", "SAS", "Probe") and found.neurons == 400
    expected = spearmanr(np.stack([one.values.ravel() for one in results], axis=1)).statistic
    np.testing.assert_allclose(found.spearman, expected, atol=1e-12)
    assert 0.4 < found.spearman[0, 1] < 0.95


def test_tops_overlap_as_sets_do(results):
    found = agreement(results[:2], top=0.25)
    assert found.sizes[0] == 1 and found.sizes[-1] == 100 and (np.diff(found.sizes) > 0).all()
    order = [np.argsort(-one.values.ravel()) for one in results[:2]]
    for place, size in enumerate(found.sizes):
        one, two = (set(ranked[:size]) for ranked in order)
        assert found.jaccard[0, 1, place] == pytest.approx(len(one & two) / len(one | two))
    np.testing.assert_array_equal(found.jaccard[0, 1], found.jaccard[1, 0])
    np.testing.assert_array_equal(found.jaccard[[0, 1], [0, 1]], 1.0)


def test_scores_without_relation_overlap_by_chance():
    draw = np.random.default_rng(1)
    found = agreement([result(draw.normal(size=(10, 5000)), name) for name in ("ES", "SAS")], top=0.5)
    large = found.sizes > 2000
    np.testing.assert_allclose(found.jaccard[0, 1, large], found.chance[large], rtol=0.15)
    assert found.chance[-1] == pytest.approx(1 / 3)


def test_ties_do_not_look_like_agreement():
    """In the order of the neurons, two scores that are the same for all of them would have the same top."""
    tied = [result(np.zeros((10, 500)), name) for name in ("ES", "SAS")]
    found = agreement(tied, top=0.2)
    assert found.jaccard[0, 1, -1] == pytest.approx(found.chance[-1], abs=0.05)
    np.testing.assert_array_equal(agreement(tied, top=0.2).jaccard, found.jaccard)


def test_a_constant_score_has_no_correlation_and_leaves_the_others_theirs(results, recwarn):
    found = agreement([*results[:2], result(np.ones((5, 80)), "Change")])
    assert np.isnan(found.spearman[2]).all() and np.isnan(found.spearman[:, 2]).all()
    np.testing.assert_allclose(found.spearman[:2, :2], agreement(results[:2]).spearman)
    assert not recwarn.list


def test_few_neurons_have_few_sizes():
    found = agreement([result([[1.0, 2.0]], "ES"), result([[2.0, 1.0]], "SAS")])
    assert found.sizes.tolist() == [1] and found.jaccard[0, 1].tolist() == [0.0]
    assert found.spearman[0, 1] == pytest.approx(-1.0)


def test_what_cannot_be_compared_is_refused(results):
    with pytest.raises(UserError, match="at least two"):
        agreement(results[:1])
    with pytest.raises(UserError, match="different models"):
        agreement([results[0], result(np.ones((5, 80)), "SAS", "another")])
    with pytest.raises(UserError, match="ES is there twice"):
        agreement([results[0], results[0]])
    assert agreement([results[0], results[0]], ["ES", "ES (max)"]).spearman[0, 1] == pytest.approx(1.0)
    for top in (0.0, 1.5):
        with pytest.raises(UserError, match="share of the neurons"):
            agreement(results, top=top)
