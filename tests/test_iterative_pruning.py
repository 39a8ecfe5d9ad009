"""Iterative pruning finds each round's neurons on the model with the earlier ones silent, and is kept."""

import json
from dataclasses import replace

import pytest

from safeneuron.ablation.hooks import ablate
from safeneuron.activations import collect
from safeneuron.errors import Cancelled, UserError
from safeneuron.generation import generate
from safeneuron.iterative_pruning import AttackSettings, iterative_pruning, kept_iterative_pruning
from safeneuron.neurons import random_like
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judging import judged_rate
from safeneuron.scores.score import ScoreTable
from safeneuron.scoring import classes_of

PROMPTS = PromptSet("three", ("How?", "Why?", "Name one."))
SETTINGS = AttackSettings(rounds=2, thresholds={"ES": 1.0, "SAS": 2.0}, max_new_tokens=4)


@pytest.fixture
def few_classes(monkeypatch):
    """Few prompts to find neurons with, so that a round takes no time."""
    harmful, benign = PromptSet("h", ("Kill!", "Steal it.", "Bomb?")), PromptSet("b", ("Tea.", "A nice cup?", "Rain"))
    monkeypatch.setattr("safeneuron.scoring.default_prompts", lambda: (harmful, benign))


def full_under(loaded, neurons):
    with ablate(loaded, neurons):
        table = ScoreTable("", *(collect(loaded, one.prompts) for one in _classes()))
    return table.select(SETTINGS.thresholds)["FULL"].neurons


def _classes():
    found = classes_of()
    return found.harmful, found.benign


def test_each_round_adds_what_is_left_and_asks_under_all_of_it(llama, home, few_classes):
    found = iterative_pruning(llama, PROMPTS, SETTINGS)
    whole, first, second = found.rounds
    assert (whole.added, len(whole.neurons)) == (0, 0)
    assert first.neurons.neurons == full_under(llama, None) and first.added == len(first.neurons)
    left = full_under(llama, first.neurons) - first.neurons.neurons
    assert left and second.neurons.neurons == first.neurons.neurons | left and second.added == len(left)
    assert [row["n"] for row in found.rows()] == [3, 3, 3]
    assert {row["judge"] for row in found.rows()} == {"arditi"}
    assert all(row["interval"][0] <= row["refusal_rate"] <= row["interval"][1] for row in found.rows())


def test_it_is_kept_by_model_prompts_and_settings(llama, home, few_classes):
    found = iterative_pruning(llama, PROMPTS, SETTINGS)
    assert kept_iterative_pruning(llama.fingerprint, PROMPTS, SETTINGS) == found
    assert iterative_pruning(replace(llama, model=None), PROMPTS, SETTINGS) == found, "no model is asked"
    json.dumps([*found.rows(), found.control_row()])
    assert kept_iterative_pruning(llama.fingerprint, PROMPTS.head(2), SETTINGS) is None
    assert kept_iterative_pruning("other", PROMPTS, SETTINGS) is None
    assert kept_iterative_pruning(llama.fingerprint, PROMPTS, replace(SETTINGS, rounds=1)) is None


def test_it_ends_where_nothing_new_is_found(llama, home, few_classes):
    found = iterative_pruning(llama, PROMPTS, replace(SETTINGS, thresholds={"ES": 1e6, "SAS": 1e6}))
    assert [one.round for one in found.rounds] == [0]
    assert found.random is None and found.control_row() is None


def test_the_control_switches_off_as_many_random_neurons_of_each_layer(llama, home, few_classes):
    found = iterative_pruning(llama, PROMPTS, SETTINGS)
    last = found.rounds[-1].neurons
    control = random_like(last, 0)
    answers = generate(llama, PROMPTS.prompts, 4, ablated=control)
    assert found.random == judged_rate(llama, control, answers, "arditi")
    row = found.control_row()
    assert (row["neurons"], row["n"], row["refusal_rate"]) == (len(last), 3, found.random.value)


def test_where_most_of_a_layer_is_found_there_is_no_control(llama, home, few_classes):
    found = iterative_pruning(llama, PROMPTS, replace(SETTINGS, thresholds={"ES": 0.1, "SAS": 0.1}))
    assert 2 * max(found.rounds[-1].neurons.per_layer()) > llama.shape[1]
    assert (
        found.random is None
        and kept_iterative_pruning(llama.fingerprint, PROMPTS, replace(SETTINGS, thresholds={"ES": 0.1, "SAS": 0.1}))
        == found
    )


def test_one_that_was_stopped_ends_as_one_that_was_not(llama, home, few_classes, tmp_path, monkeypatch):
    def stopping(step, fraction):
        if step.startswith("Round 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        iterative_pruning(llama, PROMPTS, SETTINGS, stopping)
    assert kept_iterative_pruning(llama.fingerprint, PROMPTS, SETTINGS) is None
    heard = []
    found = iterative_pruning(llama, PROMPTS, SETTINGS, lambda step, fraction: heard.append((step, fraction)))
    assert not [step for step, _ in heard if step.startswith(("Round 0", "Round 1: Reading"))], "that was kept"
    assert heard and all(2 / 4 <= fraction <= 1 for _, fraction in heard)
    monkeypatch.setenv("SAFENEURON_HOME", str(tmp_path / "another"))
    assert iterative_pruning(llama, PROMPTS, SETTINGS) == found


def test_no_round_is_refused():
    with pytest.raises(UserError, match="at least one round"):
        AttackSettings(rounds=0)
