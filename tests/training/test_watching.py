"""What is measured of a training is true, and the training does not feel it."""

import copy
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from safeneuron.ablation.hooks import ablate, add_hooks, lifted
from safeneuron.neurons import random_like
from safeneuron.prompts import builtin
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.training import watching
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.watched import MEMORY, SPEED, RefusalChecks, refusal_curves
from safeneuron.training.watching import RefusalCallback, SpeedCallback, refusals_while_training

SETTINGS = MaskedDPOSettings(learning_rate=1e-3, weight_decay=0.1, max_steps=5, batch_size=2, save_steps=2)
PAIRS = tuple(PreferencePair(f"Question {number}?", "I cannot.", "Gladly.") for number in range(6))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    harmful, benign = builtin.panel()
    both = PromptSet("h", harmful.prompts[:4]), PromptSet("b", benign.prompts[:4])
    monkeypatch.setattr(watching, "panel", lambda: both)
    return both


@pytest.fixture
def sets(llama, some_neurons):
    found = {name: some_neurons(llama, seed, 0.2) for seed, name in enumerate(("ES", "SAS"))}
    return found | {"FULL": found["ES"] | found["SAS"]}


def train(loaded, neurons, watchers, settings=SETTINGS, folder=None):
    copied = replace(loaded, model=copy.deepcopy(loaded.model))
    logged = []
    result = train_masked_dpo(
        copied, neurons, PAIRS, settings, on_metrics=lambda *point: logged.append(point), folder=folder,
        watchers=watchers(copied),
    )  # fmt: skip
    return copied, result, logged


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 2}, {"gradient_checkpointing": True}])
def test_a_training_that_is_watched_ends_with_the_same_bits(llama, sets, changes):
    settings = replace(SETTINGS, **changes)
    heard = {}

    def watchers(copied):
        return [
            SpeedCallback(lambda step, values: heard.setdefault(("speed", step), values)),
            RefusalCallback(
                RefusalChecks(sets, 2),
                partial(refusals_while_training, copied),
                lambda step, values: heard.setdefault(("refusals", step), values),
            ),
        ]

    torch.manual_seed(3)
    alone, result, logged = train(llama, sets["FULL"], lambda copied: (), settings)
    torch.manual_seed(3)
    watched, again, same = train(llama, sets["FULL"], watchers, settings)
    assert (result, logged) == (again, same)
    weights = watched.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in alone.model.state_dict().items())
    assert [step for kind, step in heard if kind == "refusals"] == [0, 2, 4, 5], "every second, and the last"
    assert [step for kind, step in heard if kind == "speed"] == [1, 2, 3, 4, 5]
    # Of the trained model, after the last step.
    assert heard["refusals", 5] == refusals_while_training(watched, sets)


def test_it_is_the_models_own_refusals_and_no_hook_of_the_training_counts(llama, sets, few, monkeypatch):
    monkeypatch.setattr(watching, "JUDGE", replace(watching.JUDGE, threshold=_middle(llama, few)))
    expected = {}
    for name, neurons in {"ORI": None, **sets, "RANDOM": random_like(sets["FULL"], 0)}.items():
        with ablate(llama, neurons):
            expected[name] = (refusal_scores(llama, few[0].prompts) > watching.JUDGE.threshold).mean()
    expected["benign"] = (refusal_scores(llama, few[1].prompts) > watching.JUDGE.threshold).mean()
    handles = add_hooks(llama.model, sets["FULL"])
    try:
        found = refusals_while_training(llama, sets)
    finally:
        for handle in handles:
            handle.remove()
    assert {refusal_curves()[key]: value for key, value in found.items()} == expected
    assert 0 < expected["ORI"] < 1 and len(set(expected.values())) > 1, "or nothing could be told apart"


def _middle(loaded, prompts):
    scores = sorted(refusal_scores(loaded, prompts[0].prompts))
    return (scores[1] + scores[2]) / 2


def test_lifted_hooks_come_back_and_can_still_be_taken_off(llama, sets, count_hooks):
    handles = add_hooks(llama.model, sets["FULL"])
    there = count_hooks(llama)
    with lifted(llama.model):
        assert count_hooks(llama) == 0
        with ablate(llama, sets["ES"]):
            assert count_hooks(llama) > 0
    assert count_hooks(llama) == there
    for handle in handles:
        handle.remove()
    assert count_hooks(llama) == 0


def test_speed_and_memory_are_those_of_the_step(llama, sets, tmp_path):
    heard = []
    _, _, logged = train(llama, sets["FULL"], lambda copied: [SpeedCallback(lambda *point: heard.append(point))])
    tokens = [0.0, *(values["num_tokens"] for _, values in logged)]
    assert [step for step, _ in heard] == [1, 2, 3, 4, 5]
    for values in (values for _, values in heard):
        assert values[SPEED] > 0 and 50 < values[MEMORY] < 1e6
    assert tokens == sorted(tokens)


def test_a_resumed_training_counts_the_tokens_of_its_own_steps(llama, sets, tmp_path, monkeypatch):
    from safeneuron.errors import Cancelled
    from safeneuron.training.reporting import TRAINING

    monkeypatch.setattr(watching, "time", SimpleNamespace(perf_counter=iter(range(1000)).__next__))
    speeds = {}

    def once(stop_after):
        copied = replace(llama, model=copy.deepcopy(llama.model))

        def listen(step, fraction):
            if step == TRAINING and fraction >= stop_after / SETTINGS.max_steps > 0:
                raise Cancelled

        watcher = SpeedCallback(lambda step, values: speeds.setdefault(step, []).append(values[SPEED]))
        train_masked_dpo(copied, sets["FULL"], PAIRS, SETTINGS, listen, folder=tmp_path, watchers=[watcher])

    with pytest.raises(Cancelled):
        once(stop_after=2)
    once(stop_after=10)
    # A step takes one tick of this clock, so that the speed is the number of the step's tokens.
    assert sorted(speeds) == [1, 2, 3, 4, 5] and all(len(found) == 1 for found in speeds.values())
    assert max(found[0] for found in speeds.values()) < 2 * min(found[0] for found in speeds.values())
