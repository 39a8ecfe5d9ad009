"""ES is Cohen's d, SAS a z-score within the layer, and FULL the union of what they select."""

import numpy as np
import pytest
from scipy import stats

from safeneuron.errors import UserError
from safeneuron.scores.es import effect_size
from safeneuron.scores.sas import safety_activation_shift
from safeneuron.scores.score import ScoreTable, identifying_scores, scores
from safeneuron.statistics import ActivationStatistics


def statistics(rows, name="x"):
    return ActivationStatistics(len(rows), rows.mean(axis=0), rows.var(axis=0, ddof=1), "last", name)


@pytest.fixture
def rows():
    """Activations of 9 harmful and 23 benign prompts, ``[n, 4 layers, 60 neurons]``, shifted by layer."""
    draw = np.random.default_rng(0)
    benign = draw.normal(size=(23, 4, 60))
    harmful = draw.normal(0.3, 1.7, size=(9, 4, 60)) + draw.normal(size=(4, 60)) * np.array([[1], [2], [3], [-1]])
    return harmful, benign


def cohens_d(one, other):
    """Written from the definition, one neuron's samples at a time."""
    n, m = len(one), len(other)
    squares = sum((x - one.mean()) ** 2 for x in one) + sum((x - other.mean()) ** 2 for x in other)
    return (one.mean() - other.mean()) / (squares / (n + m - 2)) ** 0.5


def test_es_is_cohens_d(rows):
    harmful, benign = rows
    found = effect_size(statistics(harmful), statistics(benign))
    for layer in range(4):
        expected = [cohens_d(harmful[:, layer, index], benign[:, layer, index]) for index in range(60)]
        np.testing.assert_allclose(found[layer], expected, rtol=1e-12)


def test_es_is_the_t_statistic_without_its_sample_size(rows):
    harmful, benign = rows
    t = stats.ttest_ind(harmful, benign, axis=0, equal_var=True).statistic
    np.testing.assert_allclose(effect_size(statistics(harmful), statistics(benign)), t * np.sqrt(1 / 9 + 1 / 23))


def test_sas_is_the_z_score_within_the_layer(rows):
    harmful, benign = rows
    shift = harmful.mean(axis=0) - benign.mean(axis=0)
    z = stats.zscore(shift, axis=1)
    found = safety_activation_shift(statistics(harmful), statistics(benign))
    rises = shift > 0
    assert rises.any() and (~rises).any() and (z[~rises] > 0).any()
    np.testing.assert_allclose(found[rises], z[rises], rtol=1e-12)
    assert (found[~rises] <= 0).all()
    negative = ~rises & (z < 0)
    np.testing.assert_allclose(found[negative], z[negative], rtol=1e-12)


def test_neurons_that_never_vary_score_zero_without_a_warning(recwarn):
    rows = np.ones((5, 2, 3))
    for score in (effect_size, safety_activation_shift):
        np.testing.assert_array_equal(score(statistics(rows), statistics(rows)), np.zeros((2, 3)))
    assert not recwarn.list


@pytest.mark.parametrize("score", [effect_size, safety_activation_shift])
def test_rounding_is_not_blown_up(score):
    """The last bits of numbers that are the same in every prompt differ from batch to batch, and mean nothing."""
    draw = np.random.default_rng(0)
    constant = np.broadcast_to(draw.normal(size=(1, 50)), (6, 1, 50))
    noise = draw.normal(size=(2, 6, 1, 50)) * np.finfo(np.float32).eps
    harmful, benign = (statistics(constant + part) for part in noise)
    np.testing.assert_array_equal(score(harmful, benign), 0.0)
    # A hundred times as much is a shift that float32 does resolve.
    assert (score(statistics(constant + 400 * np.abs(noise[0])), benign) != 0).sum() > 40


def test_scores_are_found_by_their_files():
    assert list(scores())[:2] == list(identifying_scores()) == ["ES", "SAS"]
    assert {name: score.default_threshold for name, score in identifying_scores().items()} == {"ES": 2.0, "SAS": 6.0}
    assert {"AtP", "SN-Tune", "SNIP", "Wanda"} <= set(scores())


@pytest.mark.parametrize(("es", "sas"), [(0.5, 1.0), (1.0, 0.5), (2.0, 2.0), (100.0, 1.0), (100.0, 100.0)])
def test_sets_are_what_lies_above_the_thresholds_and_full_their_union(rows, es, sas):
    table = ScoreTable("m", statistics(rows[0], "h"), statistics(rows[1], "b"))
    sets = table.select({"ES": es, "SAS": sas})
    assert list(sets) == ["ES", "SAS", "FULL"]
    np.testing.assert_array_equal(sets["ES"].mask(), table.values("ES") > es)
    np.testing.assert_array_equal(sets["SAS"].mask(), table.values("SAS") > sas)
    assert sets["FULL"].neurons == sets["ES"].neurons | sets["SAS"].neurons
    assert all(found.model == "m" and found.shape == (4, 60) for found in sets.values())
    assert sets["ES"].origin == {"method": "ES", "threshold": es, "pooling": "last", "harmful": "h", "benign": "b"}
    assert sets["FULL"].origin["threshold"] == {"ES": es, "SAS": sas}


@pytest.mark.parametrize("threshold", [-1.0, float("nan"), float("inf")])
def test_a_threshold_that_means_nothing_is_refused(rows, threshold):
    table = ScoreTable("m", statistics(rows[0]), statistics(rows[1]))
    with pytest.raises(UserError, match="threshold"):
        table.select({"SAS": threshold})


def test_a_threshold_left_out_is_the_scores_own(rows):
    table = ScoreTable("m", statistics(rows[0]), statistics(rows[1]))
    assert table.select({"SAS": 1.0})["ES"].neurons == table.select()["ES"].neurons
    assert table.select({"SAS": 1.0})["SAS"].neurons > table.select()["SAS"].neurons


def test_sets_are_selected_once_while_the_thresholds_stay(rows, monkeypatch):
    table, values, asked = ScoreTable("m", statistics(rows[0]), statistics(rows[1])), ScoreTable.values, []
    monkeypatch.setattr(ScoreTable, "values", lambda table, name: asked.append(name) or values(table, name))
    first = table.select({"ES": 0.5})
    first.pop("FULL")
    again = table.select({"ES": 0.5})
    assert asked == ["ES", "SAS"] and list(again) == ["ES", "SAS", "FULL"] and again["ES"] is first["ES"]
    assert table.select({"ES": 1.0})["ES"].neurons < again["ES"].neurons and len(asked) == 4
    assert table == ScoreTable("m", table.harmful, table.benign)


def test_the_threshold_itself_is_not_above_it(rows):
    table = ScoreTable("m", statistics(rows[0]), statistics(rows[1]))
    highest = float(table.values("ES").max())
    assert len(table.select({"ES": highest})["ES"]) == 0
    assert len(table.select({"ES": np.nextafter(highest, 0)})["ES"]) == 1


def test_change_and_what_lies_above(rows):
    harmful, benign = map(statistics, rows)
    one, other = ScoreTable("one", harmful, benign), ScoreTable("other", benign, harmful)
    np.testing.assert_array_equal(one.change("ES", other), one.values("ES") - other.values("ES"))
    neurons = {(layer, index) for layer in range(2) for index in range(60)}
    found = one.above("SAS", 0.5, neurons)
    assert found == {neuron for neuron in neurons if one.values("SAS")[neuron] > 0.5} and found
