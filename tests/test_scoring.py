"""Scores are computed once per model, prompts and pooling, and the shipped ones are the real ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from safeneuron import scoring
from safeneuron.compute import shared_threads, threads
from safeneuron.neurons import NeuronSet
from safeneuron.observations.moments import shipped_statistics
from safeneuron.prompts.promptset import PromptSet
from safeneuron.score_frames import score_frame, strongest_members, write_scores
from safeneuron.scores.score import ScoreTable, identifying_scores
from safeneuron.scoring import kept_score_table, score_table
from safeneuron.statistics import ActivationStatistics, statistics_fingerprint


@pytest.fixture
def classes(prompts):
    return PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:])


@pytest.fixture
def forwards(llama):
    """The number of forward passes so far, as the length of this list."""
    calls = []
    handle = llama.model.base_model.register_forward_pre_hook(lambda *_: calls.append(1))
    yield calls
    handle.remove()


def test_scores_are_computed_once(llama, classes, home, forwards):
    table = score_table(llama, *classes)
    assert (table.harmful.count, table.benign.count, len(forwards)) == (3, 4, 2)
    again = score_table(llama, *classes)
    assert len(forwards) == 2
    np.testing.assert_array_equal(again.values("ES"), table.values("ES"))
    score_table(llama, *classes, pooling="max")
    assert len(forwards) == 4


def test_another_models_scores_are_never_shown(llama, classes, home, forwards):
    score_table(llama, *classes)
    other = replace(llama, card=replace(llama.card, fingerprint="another"))
    assert kept_score_table("another", *classes) is None
    score_table(other, *classes)
    assert len(forwards) == 4


def test_kept_scores_need_no_model(llama, classes, home):
    assert kept_score_table(llama.fingerprint, *classes) is None
    table = score_table(llama, *classes)
    kept = kept_score_table(llama.fingerprint, *classes)
    np.testing.assert_array_equal(kept.values("SAS"), table.values("SAS"))
    assert kept_score_table(llama.fingerprint, *classes, pooling="mean") is None
    assert kept_score_table(llama.fingerprint, classes[0], PromptSet("new", ("a", "b"))) is None


def test_written_scores_hold_a_row_per_neuron_and_a_file_per_set(llama, classes, home, tmp_path):
    table = score_table(llama, *classes)
    sets = table.select({"ES": 0.5, "SAS": 1.0})
    write_scores(table, sets, tmp_path / "new" / "out")
    frame = pd.read_parquet(tmp_path / "new" / "out" / "scores.parquet")
    assert list(frame) == ["layer", "index", "ES", "SAS", "mean_harmful", "mean_benign"]
    assert len(frame) == 3 * 40
    row = frame[(frame["layer"] == 2) & (frame["index"] == 17)].iloc[0]
    assert row["ES"] == table.values("ES")[2, 17]
    assert row["SAS"] == table.values("SAS")[2, 17]
    assert row["mean_harmful"] == table.harmful.mean[2, 17]
    for name in ("ES", "SAS", "FULL"):
        assert NeuronSet.load(tmp_path / "new" / "out" / f"{name}.json") == sets[name]
    pd.testing.assert_frame_equal(frame, score_frame(table))


def jaccard(one, other):
    return len(one.neurons & other.neurons) / max(len(one.neurons | other.neurons), 1)


@pytest.mark.default_model
def test_the_shipped_scores_are_those_of_the_default_model(default_model, home):
    """Recomputes both classes on all prompts of the built-in training part."""
    from safeneuron.activations import collect

    shipped, found = [], []
    with threads(shared_threads(busy=False)):
        for prompts in scoring.default_prompts():
            name = statistics_fingerprint(default_model.fingerprint, prompts.prompts, "last")
            folder = shipped_statistics() / name
            assert folder.is_dir(), "the package ships no scores for this adapter and these prompts"
            shipped.append(ActivationStatistics.load(folder))
            found.append(collect(default_model, prompts.prompts))
            assert shipped[-1].count == found[-1].count == len(prompts)
    for one, other in zip(shipped, found, strict=True):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(one.variance, other.variance, rtol=1e-2, atol=1e-3)
    sets = [ScoreTable(default_model.fingerprint, *pair).select() for pair in (shipped, found)]
    for name in ("ES", "SAS", "FULL"):
        assert len(sets[0][name]) > 0
        assert jaccard(sets[0][name], sets[1][name]) >= 0.98, name


@pytest.mark.default_model
def test_the_first_page_needs_no_model_work(default_model, home):
    table = kept_score_table(default_model.fingerprint)
    assert table is not None
    assert 0 < table.select()["FULL"].share <= 0.015


def test_a_sets_neurons_come_strongest_first_by_the_score_that_selects_more(llama, classes, home):
    table = score_table(llama, *classes)
    chosen = NeuronSet("x", llama.fingerprint, llama.shape, frozenset((layer, 3 * layer) for layer in range(3)))
    frame = strongest_members(table, chosen, 2)
    assert list(frame) == ["layer", "neuron", *identifying_scores(), "mean harmful", "mean benign"]
    assert set(zip(frame["layer"], frame["neuron"], strict=True)) < chosen.neurons and len(frame) == 2
    members = score_frame(table)[chosen.mask().ravel()]
    known = identifying_scores()
    more = max(known, key=lambda name: (members[name] > known[name].default_threshold).sum())
    assert list(frame[more]) == sorted(members[more], reverse=True)[:2]
