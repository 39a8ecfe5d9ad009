"""Several rounds: what each freezes, when there is no further one, and a run that is killed in any of them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import catalogue, lineage, model_card, open_model
from safeneuron.models.layout import mlp_blocks
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.evaluated import run_prompts
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.refusal.perplexities import calibration_prompts
from safeneuron.runs import curves, launcher, store
from safeneuron.runs.resuming import resume
from safeneuron.runs.worker import carry_out
from safeneuron.training import one_round, start
from safeneuron.training.checkpoints import checkpoints_folder, progress_kept
from safeneuron.training.cost import work_of
from safeneuron.training.rounds import (
    PHASES,
    RoundResult,
    has_another,
    of_this_round,
    phases_of,
    round_rows,
    rounds_done,
)
from safeneuron.training.safety_sets import safety_sets
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
from safeneuron.training.summary import run_summary
from safeneuron.workspace import write_json

SETTINGS = TrainingSettings(
    dpo=MaskedDPOSettings(max_steps=3, batch_size=4, learning_rate=3e-3, weight_decay=0.1, save_steps=1),
    thresholds={"ES": 0.3, "SAS": 1.5},
    evaluation_limit=2,
    rounds=2,
)
OWN = tuple(PreferencePair(f"Question {number}?", "I cannot.", "Gladly.") for number in range(8))


@pytest.fixture
def prepared(home, model_folder, monkeypatch):
    """Return a function that starts a run without carrying it out: its id."""
    before = signal.getsignal(signal.SIGTERM)

    def launch(run_id, target, threads, how):
        facts = {"target": target, "threads": threads, "how": how.to_json()}
        write_json(store.run_folder(run_id) / launcher.JOB_FILE, facts)

    monkeypatch.setattr(start, "launch", launch)
    monkeypatch.setattr(launcher, "launch", launch)
    yield lambda neurons="FULL", settings=SETTINGS: start.start_training(str(model_folder), neurons, settings, OWN)
    signal.signal(signal.SIGTERM, before)


def finished(run_id):
    carry_out(run_id, start.JOB)
    info = store.get_run(run_id)
    assert (info.status, info.message) == ("finished", "")
    return info


def frozen_parts(model, neurons):
    blocks = mlp_blocks(model.model)
    for layer, members in neurons.by_layer().items():
        yield (
            blocks[layer].gate.weight[members],
            blocks[layer].up.weight[members],
            blocks[layer].down.weight[:, members],
        )


@pytest.fixture
def two_rounds(prepared, model_folder):
    """A finished run of two rounds: its info."""
    return finished(prepared())


def test_each_round_freezes_what_was_ever_found_and_leaves_a_model(two_rounds, model_folder):
    run_id = two_rounds.id
    first, second = rounds_done(run_id)
    parent, after_first, after_second = safety_sets(run_id)
    assert first.neurons.neurons == parent.sets["FULL"].neurons
    assert second.neurons.neurons == (parent.sets["FULL"] | after_first.sets["FULL"]).neurons
    assert len(second.neurons) > len(first.neurons), "another set is found on the trained model"
    assert (after_first.frozen, after_second.frozen) == (len(first.neurons), len(second.neurons))
    for result in (first, second):
        assert result.frozen == {"slices": 3 * len(result.neurons), "max_abs_diff": 0.0, "identical": True}

    f0, f1, f2 = (open_model(name) for name in (str(model_folder), f"run:{run_id[:8]}-1", f"run:{run_id[:8]}"))
    assert [f0.fingerprint, f1.fingerprint, f2.fingerprint] == [kept.model for kept in safety_sets(run_id)]
    assert len({f0.fingerprint, f1.fingerprint, f2.fingerprint}) == 3
    # What the first round froze is still that of the parent, bit for bit.
    for parts in zip(*(frozen_parts(model, first.neurons) for model in (f0, f1, f2)), strict=True):
        for start_values, *later in zip(*parts, strict=True):
            assert all(start_values.equal(values) for values in later)
    assert {f1.card.source, f2.card.source} == {f"run:{run_id}-1", f"run:{run_id}"}
    assert {f1.card, f2.card} <= set(catalogue())
    assert f1.card.title.endswith("3 steps, round 1") and f2.card.title.endswith("3 steps, round 2")
    assert [card.source for card in lineage(f2.card)] == [f"run:{run_id}", str(model_folder)]

    assert store.get_json(run_id, "before")["model"] == f0.fingerprint
    assert store.get_json(run_id, "static")["model"] == store.get_json(run_id, "adaptive")["model"] == f2.fingerprint
    assert [row["model"] for row in round_rows(run_id)] == [f"run:{run_id}-1", f"run:{run_id}"]
    assert run_summary(run_id)["rounds"] == round_rows(run_id)
    # One curve over all rounds.
    assert curves.metric_history(run_id, "loss").steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert not checkpoints_folder(run_id).exists()
    seen = [event.text for event in store.events(run_id)]
    assert seen == ["Queued", "Started", *(name for name in phases_of(2) if "pairs" not in name), "Finished"]


def test_the_reference_of_every_round_is_the_model_before_the_first(prepared):
    """The first margin of a second round is that of f1 over the reference, and would be 0 if that were f1."""
    margins = {}
    for rounds in (1, 2):
        info = finished(prepared("ORI", replace(SETTINGS, rounds=rounds)))
        margins[rounds] = curves.metric_history(info.id, "rewards/margins").values
    assert margins[2][:3].tolist() == margins[1].tolist()
    assert margins[1][0] == pytest.approx(0.0, abs=1e-4), "the policy is the reference yet"
    assert margins[2][3] > 0.01


def test_a_set_of_the_persons_own_stays_as_it_is(prepared):
    first, second = rounds_done(finished(prepared("0:1,2:3")).id)
    assert first.neurons.neurons == second.neurons.neurons == {(0, 1), (2, 3)}


def test_random_controls_grow_by_random_neurons(prepared):
    first, second = rounds_done(finished(prepared("random(FULL)")).id)
    assert first.neurons.neurons < second.neurons.neurons


def test_adapters_are_merged_in_every_round(prepared):
    first, second = rounds_done(
        finished(prepared(settings=replace(SETTINGS, dpo=replace(SETTINGS.dpo, lora_rank=2)))).id
    )
    assert first.frozen["identical"] and second.frozen["identical"]
    assert first.model != second.model


def test_a_run_that_is_killed_in_any_round_ends_with_the_same_bits(two_rounds, prepared, request):
    """By SIGKILL, at a random step of each round."""
    run_id = prepared()
    deaths = []
    for number in (1, 2):
        after = (number - 1) * 3 + 1 + int.from_bytes(os.urandom(1)) % 2
        code = "import sys; from safeneuron.runs.worker import carry_out; carry_out(sys.argv[1], sys.argv[2])"
        process = subprocess.Popen(
            [sys.executable, "-c", code, run_id, start.JOB],
            env=os.environ | {"PYTHONPATH": str(request.config.rootpath)},
        )
        while process.poll() is None and len(curves.metric_history(run_id, "loss").steps) < after:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it had not ended by itself"
        info = store.get_run(run_id)
        assert info.status == "failed"
        deaths.append(progress_kept(info))
        resume(run_id)
    again = finished(run_id)
    assert model_card(again.source).fingerprint == model_card(two_rounds.source).fingerprint, deaths
    assert rounds_done(run_id) == rounds_done(two_rounds.id), deaths
    assert safety_sets(run_id) == safety_sets(two_rounds.id)
    for key in ("loss", "rewards/margins"):
        whole, resumed = (curves.metric_history(one, key) for one in (two_rounds.id, run_id))
        assert whole.values.tolist() == resumed.values.tolist(), deaths


def test_a_run_that_dies_between_two_rounds_goes_on_with_the_next(two_rounds, prepared, monkeypatch):
    run_id = prepared()
    train = one_round.train_masked_dpo

    def dying(*arguments, **more):
        if arguments[7]:
            raise RuntimeError("died")
        return train(*arguments, **more)

    monkeypatch.setattr(one_round, "train_masked_dpo", dying)
    carry_out(run_id, start.JOB)
    info = store.get_run(run_id)
    assert info.status == "failed"
    assert progress_kept(info) == "Resuming goes on with the beginning of round 2."
    assert model_card(f"run:{run_id}-1").title.endswith("round 1"), "what a round left may be used"
    with pytest.raises(UserError, match="no finished run"):
        model_card(f"run:{run_id}")
    monkeypatch.setattr(one_round, "train_masked_dpo", train)
    resume(run_id)
    again = finished(run_id)
    assert model_card(again.source).fingerprint == model_card(two_rounds.source).fingerprint


def result(number, refusal):
    rows = ({"condition": "ORI", "refusal_rate": 1.0}, {"condition": "FULL", "refusal_rate": refusal})
    return RoundResult(number, f"m{number}", NeuronSet("FULL", "m", (1, 1), frozenset()), {}, rows, rows)


@pytest.mark.parametrize(
    ("rates", "another"),
    [
        ((0.1,), True),
        ((0.1, 0.1), False),
        ((0.3, 0.2), False),
        ((0.1, 0.5), True),
        ((0.1, 0.5, 0.6), True),
        ((0.1, 0.5, 0.5), False),
        ((0.1, 0.5, 0.6, 0.7), False),
    ],
)
def test_rounds_end_when_refusals_under_full_rise_no_more(rates, another):
    before = [] if len(rates) == 1 else result(0, rates[0]).adaptive
    done = [result(number, rate) for number, rate in enumerate(rates[1:], start=1)]
    settings = replace(SETTINGS, rounds=3, stop_when_flat=True)
    assert has_another(settings, done, before) == another
    assert has_another(replace(settings, stop_when_flat=False), done, before) == (len(done) < 3)


def test_a_run_stops_before_its_last_round(prepared, monkeypatch):
    monkeypatch.setattr("safeneuron.training.rounds.full_refusal", lambda rows: 0.5)
    info = finished(prepared(settings=replace(SETTINGS, rounds=3, stop_when_flat=True)))
    assert len(rounds_done(info.id)) == 1 and info.progress == 1.0
    assert model_card(info.source).title.endswith("round 1")


def test_more_rounds_cost_more():
    settings = replace(SETTINGS, rounds=1)
    once, thrice = (work_of("unknown", None, replace(settings, rounds=rounds), OWN) for rounds in (1, 3))
    assert (once.trained_pairs, thrice.trained_pairs) == (12, 36)
    assert (once.scorings, thrice.scorings) == (2, 4)
    assert once.pairs == thrice.pairs, "the reference is computed once"
    # Each round's model answers for two tables, and the parent for one.
    table = 5 * len(run_prompts(2))
    calibration = len(calibration_prompts())
    each = 2 * table - len(run_prompts(2)) + calibration
    assert (once.answers, thrice.answers) == (table + calibration + each, table + calibration + 3 * each)
    assert once.panels == 0
    # Before the first step, after the second, and after the last; five ablations of harmful prompts, and benign ones.
    assert work_of("unknown", None, replace(settings, evaluate_every=2), OWN).panels == 6 * 3


def test_phases_name_their_round_and_one_round_is_as_it_was():
    assert phases_of(1) == PHASES
    two = phases_of(2)
    assert list(two)[:4] == [*list(PHASES)[:3], "Round 1: Training"] and list(two)[-1] == "Round 2: Evaluating"
    assert len(two) == len(PHASES) + 4
    heard = []
    of_this_round(lambda step, fraction: heard.append(step), 2, 2)("Training", 0.0)
    of_this_round(lambda step, fraction: heard.append(step), 2, 2)("Answering under ORI", 0.0)
    assert heard == ["Round 2: Training", "Answering under ORI"]


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"evaluate_every": -1}])
def test_no_round_and_steps_below_none_are_refused(wrong):
    with pytest.raises(UserError, match="--rounds|--evaluate-every"):
        TrainingSettings(**wrong)
