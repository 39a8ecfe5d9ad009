"""Pruning a tiny model's set: found by brute force too, resumable, kept as a set, checked on other prompts."""

import json
import signal
from dataclasses import replace
from itertools import combinations

import pytest

from safeneuron.errors import Cancelled, UserError
from safeneuron.neurons import NeuronSet
from safeneuron.pruning import job, pruning
from safeneuron.pruning.pruning import prune_set
from safeneuron.pruning.result import KeptEffects, PruningResult, kept_result, kept_results
from safeneuron.pruning.settings import PruningSettings
from safeneuron.pruning.start import KIND, PHASES, check_prunable
from safeneuron.refusal.panel import Panel
from safeneuron.runs import store
from safeneuron.runs.starting import SETTINGS
from safeneuron.runs.worker import carry_out
from safeneuron.selection import understood
from safeneuron.sets.origin import origin_words

SMALL = PruningSettings(prompts=3, held_out=2, max_new_tokens=3)


@pytest.fixture
def eight(llama) -> NeuronSet:
    neurons = frozenset((layer, index) for layer in range(2) for index in range(4))
    return NeuronSet("eight", llama.fingerprint, llama.shape, neurons)


def test_the_subset_keeps_the_effect_and_is_as_small_as_its_own_neurons_allow(home, llama, eight):
    result = prune_set(llama, eight, SMALL)
    panel = Panel(llama, SMALL.measured_on().prompts)

    def effect(neurons):
        off = NeuronSet("x", llama.fingerprint, llama.shape, frozenset(neurons))
        return float((panel.scores(off) - panel.original).mean())

    whole = effect(eight.neurons)
    assert result.found.effect == pytest.approx(whole, abs=1e-5)
    assert effect(result.found.subset) / whole >= 0.9 - 1e-6
    smaller = combinations(result.found.subset, len(result.found.subset) - 1)
    assert all(effect(part) / whole < 0.9 + 1e-6 for part in smaller if part)
    assert all(
        share == pytest.approx(1 - effect(eight.neurons - {neuron}) / whole, abs=1e-4)
        for neuron, share in result.found.shares.items()
    )
    assert list(result.refusal) == ["ORI", "whole set", "subset", "RANDOM"]
    assert {(rate.n, rate.judge) for rate in result.refusal.values()} == {(2, "arditi")}


def test_the_subset_is_a_set_of_that_name_on_every_page(home, llama, eight):
    result = prune_set(llama, eight, SMALL)
    kept = understood('"eight-pruned"', llama.fingerprint, llama.shape).neurons()
    assert kept == result.subset.__class__.from_json(result.subset.to_json() | {"name": "eight-pruned"})
    assert "pruned from the 8 neurons of eight" in origin_words(kept.origin)
    assert PruningResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert kept_results(llama.fingerprint) == [result] and kept_result(eight, SMALL) == result


def test_the_search_sees_none_of_the_prompts_of_the_check():
    settings = PruningSettings(prompts=100, held_out=100)
    assert not set(settings.measured_on().prompts) & set(settings.checked_on().prompts)


def test_stopped_it_goes_on_without_trying_again(home, llama, eight, monkeypatch):
    def stop(step, fraction):
        if step == "Searching for a small subset":
            raise Cancelled

    with pytest.raises(Cancelled):
        prune_set(llama, eight, SMALL, stop)
    # The whole set, and each neuron left out.
    assert len(KeptEffects(eight, SMALL)) == 9
    tried = []
    scores = Panel.scores
    monkeypatch.setattr(Panel, "scores", lambda self, off: tried.append(off) or scores(self, off))
    again = prune_set(llama, eight, SMALL)
    everything = {off.neurons for off in tried if off is not None}
    assert not any(len(neurons) in (7, 8) and neurons != frozenset(again.found.subset) for neurons in everything)
    monkeypatch.setattr(pruning, "Panel", None)
    assert prune_set(llama, eight, SMALL) == again


def test_another_share_of_the_same_effect_tries_little_again(home, llama, eight, monkeypatch):
    prune_set(llama, eight, SMALL)
    tried = []
    scores = Panel.scores
    monkeypatch.setattr(Panel, "scores", lambda self, off: tried.append(off) or scores(self, off))
    prune_set(llama, eight, replace(SMALL, keep=0.6))
    # Neither the whole set nor any of it without one neuron.
    assert all(off is None or len(off) < 7 for off in tried)


def test_the_job_carries_it_out_in_its_process(home, model_folder, monkeypatch):
    from safeneuron.models.catalogue import model_card

    monkeypatch.setattr(job, "require_parity", lambda loaded, progress: None)
    card = model_card(str(model_folder))
    neurons = NeuronSet("four", card.fingerprint, card.shape, frozenset({(0, 1), (1, 2), (1, 3), (2, 4)}))
    run = store.create_run("pruning", KIND, {}, PHASES)
    asked = {"source": str(model_folder), "neurons": neurons.to_json(), "pruning": SMALL.to_json()}
    store.put_json(run.id, SETTINGS, asked)
    before = signal.getsignal(signal.SIGTERM)
    carry_out(run.id, "safeneuron.pruning.job:run")
    signal.signal(signal.SIGTERM, before)
    assert (store.get_run(run.id).status, store.get_run(run.id).message) == ("finished", "")
    assert kept_result(neurons, SMALL).name == "four-pruned"


def test_a_set_of_one_neuron_and_senseless_settings_are_refused(llama):
    with pytest.raises(UserError, match="nothing to leave out"):
        check_prunable(NeuronSet("one", "m", (3, 40), frozenset({(0, 0)})))
    for wrong in ({"keep": 0.0}, {"keep": 1.1}, {"prompts": 0}):
        with pytest.raises(UserError):
            PruningSettings(**wrong)
