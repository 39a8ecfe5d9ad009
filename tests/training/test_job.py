"""The whole run on a tiny model: once in a process of its own, and its ways of going wrong in this one."""

import json
from dataclasses import replace

import pytest
import torch

from safeneuron.models.catalogue import catalogue, model_card, open_model
from safeneuron.models.chat import templated
from safeneuron.models.chat_format import ChatFormat, format_of
from safeneuron.models.chat_names import delete_chat, save_chat
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.parity_report import kept_parity
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pair_files import load_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs import curves, launcher, store
from safeneuron.runs.resuming import resume
from safeneuron.runs.worker import carry_out
from safeneuron.sets.kept import keep_set
from safeneuron.training import one_round, start
from safeneuron.training.checkpoints import checkpoints_folder, progress_kept
from safeneuron.training.rounds import PHASES, rounds_done
from safeneuron.training.safety_sets import safety_sets
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
from safeneuron.training.summary import run_summary
from safeneuron.workspace import write_json

SETTINGS = TrainingSettings(
    dpo=MaskedDPOSettings(max_steps=2, batch_size=4, learning_rate=1e-3, weight_decay=0.1),
    # Random weights have no safety neurons; these thresholds find some all the same.
    thresholds={"ES": 0.3, "SAS": 1.5},
    evaluation_limit=4,
)
OWN = tuple(PreferencePair(f"Question {number}?", "I cannot.", "Gladly.") for number in range(8))


@pytest.fixture
def run_here(home, model_folder, monkeypatch):
    """Return a function that starts a run and carries it out in this process."""
    import signal

    def launch(run_id, target, threads, how):
        facts = {"target": target, "threads": threads, "how": how.to_json()}
        write_json(store.run_folder(run_id) / launcher.JOB_FILE, facts)

    monkeypatch.setattr(start, "launch", launch)
    monkeypatch.setattr(launcher, "launch", launch)
    before = signal.getsignal(signal.SIGTERM)

    def run(neurons="FULL", settings=SETTINGS, pairs=OWN, source=str(model_folder)):
        run_id = start.start_training(source, neurons, settings, pairs)
        carry_out(run_id, start.JOB)
        return store.get_run(run_id)

    yield run
    signal.signal(signal.SIGTERM, before)


def test_the_whole_run_in_a_process_of_its_own(home, model_folder):
    run_id = start.start_training(str(model_folder), "FULL", SETTINGS)
    assert store.get_run(run_id).active
    info = launcher.wait(run_id, interval=0.1)
    assert (info.status, info.message) == ("finished", "")
    assert [event.text for event in store.events(run_id)] == ["Queued", "Started", *PHASES, "Finished"]
    assert info.parameters["set"] == "FULL"
    assert info.parameters["threshold_ES"] == 0.3

    neurons = NeuronSet.from_json(store.get_json(run_id, "neurons"))
    assert len(neurons) > 0
    assert store.get_json(run_id, "frozen") == {"slices": 3 * len(neurons), "max_abs_diff": 0.0, "identical": True}
    for key in ("loss", "rewards/margins", "rewards/accuracies", "logps/chosen"):
        assert curves.metric_history(run_id, key).steps.tolist() == [1, 2]

    # As many pairs as the two steps take in, in the usual proportions.
    pairs = load_pairs(store.artifacts_folder(run_id) / start.PAIRS_FILE)
    assert sorted(pair.kind for pair in pairs) == ["benign"] * 2 + ["harmful"] * 4 + ["twin"] * 2

    card = model_card(info.source)
    assert card in catalogue()
    assert card.parent == str(model_folder)
    parent, trained = open_model(str(model_folder)), open_model(info.source)
    for layer, members in neurons.by_layer().items():
        before, after = mlp_blocks(parent.model)[layer], mlp_blocks(trained.model)[layer]
        assert torch.equal(before.gate.weight[members], after.gate.weight[members])
        assert torch.equal(before.up.weight[members], after.up.weight[members])
        assert torch.equal(before.down.weight[:, members], after.down.weight[:, members])
        assert not torch.equal(before.gate.weight, after.gate.weight)

    for name, model in (("before", parent), ("static", trained), ("adaptive", trained)):
        table = store.get_json(run_id, name)
        assert table["model"] == model.fingerprint
        assert [row["condition"] for row in table["rows"]] == ["ORI", "ES", "SAS", "FULL", "RANDOM"]
        assert {(row["n"], row["benign_n"], row["twin_n"]) for row in table["rows"]} == {(4, 2, 2)}
        assert len(store.get_table(run_id, f"{name}_answers")) == 5 * (4 + 2 + 2)
    assert kept_parity(trained.fingerprint).passed, "green when it appears"
    assert json.loads((home / "paces.json").read_text()).keys() == {
        "run reference",
        "run pair",
        "run scoring",
        "run answer",
    }
    summary = run_summary(run_id)
    assert summary["counts"]["parent"]["FULL"] == len(neurons)
    assert summary["model"] == info.source
    rounds = safety_sets(run_id)
    assert [(found.round, found.model, found.frozen) for found in rounds] == [
        (0, parent.fingerprint, 0),
        (1, trained.fingerprint, len(neurons)),
    ]
    assert rounds[0].sets["FULL"] == neurons
    assert {name: len(found) for name, found in rounds[1].sets.items()} == summary["counts"]["trained"]
    (only,) = rounds_done(run_id)
    assert (only.neurons, only.frozen) == (neurons, store.get_json(run_id, "frozen"))
    assert list(only.static) == summary["tables"]["static"] and list(only.adaptive) == summary["tables"]["adaptive"]
    assert list(summary["tables"]) == ["before", "static", "adaptive"]
    assert not list((home / "models").glob(".*"))


def test_a_persons_own_set_and_pairs(run_here, model_folder, llama, some_neurons):
    neurons = replace(some_neurons(llama), model=model_card(str(model_folder)).fingerprint)
    info = run_here(neurons)
    assert info.status == "finished"
    assert NeuronSet.from_json(store.get_json(info.id, "neurons")) == neurons
    assert store.get_json(info.id, "frozen")["slices"] == 3 * len(neurons)
    assert load_pairs(store.artifacts_folder(info.id) / start.PAIRS_FILE) == OWN


def test_an_expression_with_a_kept_set_and_a_score(run_here, home, model_folder):
    model = model_card(str(model_folder)).fingerprint
    keep_set(NeuronSet("x", model, (3, 40), frozenset({(0, 1)}), {"typed": "0:1"}), "mine", model)
    info = run_here("top(3, ES, not in mine) | mine")
    assert info.status == "finished"
    neurons = NeuronSet.from_json(store.get_json(info.id, "neurons"))
    assert len(neurons) == 4 and (0, 1) in neurons
    assert neurons.origin["expression"] == "top(3, ES, not in mine) | mine"
    assert neurons.origin["parts"] == {"mine": {"typed": "0:1"}}
    assert run_summary(info.id)["set"] == {"name": neurons.name, "count": 4, "origin": neurons.origin}


def test_plain_dpo_is_a_run_without_neurons(run_here):
    info = run_here("ORI")
    assert info.status == "finished"
    assert store.get_json(info.id, "frozen")["slices"] == 0


def test_a_full_disk_while_saving_leaves_no_model(run_here, home, monkeypatch):
    import errno

    from transformers import PreTrainedModel

    def full(self, folder, *arguments, **more):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    info = run_here()
    assert (info.status, info.phase) == ("failed", "Saving")
    assert "is full" in info.message
    assert not list((home / "models").iterdir())
    summary = run_summary(info.id)
    assert (summary["model"], summary["tables"]) == (None, {})
    # What was there before stays.
    assert summary["frozen"]["identical"]
    assert curves.metric_history(info.id, "loss").steps.tolist() == [1, 2]


def test_moved_neurons_are_never_saved(run_here, home, monkeypatch):
    from safeneuron.training.frozen import FrozenNeurons

    monkeypatch.setattr(FrozenNeurons, "restore", lambda self: None)
    info = run_here()
    assert info.status == "failed"
    assert "Frozen neurons moved" in info.message
    assert not (home / "models").exists()


def test_a_cancelled_run_is_resumed_and_ends_as_if_nobody_had_cancelled(run_here, home, monkeypatch):
    settings = replace(SETTINGS, dpo=replace(SETTINGS.dpo, max_steps=3))
    whole = run_here("0:1", settings)
    log_metrics = curves.log_metrics

    def log_and_cancel(run_id, step, values):
        log_metrics(run_id, step, values)
        store.request_cancel(run_id)

    monkeypatch.setattr(curves, "log_metrics", log_and_cancel)
    info = run_here("0:1", settings)
    assert (info.status, info.phase) == ("cancelled", "Training")
    assert curves.metric_history(info.id, "loss").steps.tolist() == [1, 2]
    assert not (home / "models" / info.id).exists()
    assert progress_kept(info) == "Resuming goes on from step 2 of 3."
    monkeypatch.setattr(curves, "log_metrics", log_metrics)
    resume(info.id)
    assert (store.get_run(info.id).status, store.get_run(info.id).progress) == ("queued", 0.0)
    carry_out(info.id, start.JOB)
    again = store.get_run(info.id)
    assert (again.status, again.message) == ("finished", "")
    assert model_card(again.source).fingerprint == model_card(whole.source).fingerprint
    assert curves.metric_history(info.id, "loss").steps.tolist() == [1, 2, 3]
    for run_id in (whole.id, info.id):
        assert store.get_json(run_id, "frozen") == {"slices": 3, "max_abs_diff": 0.0, "identical": True}
        assert not checkpoints_folder(run_id).exists()
    assert [event.text for event in store.events(info.id)].count("Resumed") == 1
    losses = [curves.metric_history(run_id, "loss").values.tolist() for run_id in (whole.id, info.id)]
    assert losses[0] == losses[1]


def test_a_run_cancelled_in_every_phase_and_resumed_each_time_ends_as_one_that_was_left_alone(run_here, monkeypatch):
    whole = run_here("FULL")
    seen, set_phase = [], store.set_phase

    def cancel_at_first_sight(run_id, phase, fraction, step=""):
        if phase not in seen:
            seen.append(phase)
            store.request_cancel(run_id)
        return set_phase(run_id, phase, fraction, step)

    monkeypatch.setattr(store, "set_phase", cancel_at_first_sight)
    info = run_here("FULL")
    cancels = 0
    while info.status == "cancelled":
        cancels += 1
        resume(info.id)
        carry_out(info.id, start.JOB)
        info = store.get_run(info.id)
    assert (info.status, info.message) == ("finished", "")
    assert seen == [phase for phase in PHASES if phase != "Building preference pairs"], "the pairs are given"
    assert cancels >= 4
    assert model_card(info.source).fingerprint == model_card(whole.source).fingerprint
    for name in ("before", "static", "adaptive"):
        assert store.get_json(info.id, name) == store.get_json(whole.id, name)


def test_a_run_that_dies_while_it_is_evaluated_is_not_trained_again(run_here, monkeypatch):
    evaluate = one_round._evaluate
    monkeypatch.setattr(one_round, "_evaluate", lambda *arguments: 1 / 0)
    info = run_here("0:1")
    assert (info.status, info.phase) == ("failed", "Evaluating")
    assert progress_kept(info) == "Resuming goes on with the evaluation."
    monkeypatch.setattr(one_round, "_evaluate", evaluate)
    monkeypatch.setattr(one_round, "train_masked_dpo", None)
    resume(info.id)
    carry_out(info.id, start.JOB)
    assert store.get_run(info.id).status == "finished"
    assert list(run_summary(info.id)["tables"]) == ["before", "static", "adaptive"]


def test_a_model_that_changed_meanwhile_is_not_gone_on_with(run_here, model_folder):
    save_chat("pirate", ChatFormat(system="You are a pirate."))
    info = run_here("0:1", SETTINGS, OWN, f"{model_folder}#pirate")
    store.fail(info.id, "died")
    save_chat("pirate", ChatFormat(system="Other words."))
    resume(info.id)
    carry_out(info.id, start.JOB)
    assert "has changed since the run began" in store.get_run(info.id).message


def test_settings_round_trip_through_json():
    assert TrainingSettings.from_json(json.loads(json.dumps(SETTINGS.to_json()))) == SETTINGS


def test_a_run_speaks_to_the_model_as_it_was_named_and_so_does_its_model_afterwards(
    run_here, model_folder, monkeypatch
):
    save_chat("pirate", ChatFormat(system="You are a pirate."))
    source = f"{model_folder}#pirate"
    spoken = model_card(source)
    saved = one_round._save

    def save_and_reword(*arguments):
        saved(*arguments)
        save_chat("pirate", ChatFormat(system="Other words."))

    monkeypatch.setattr(one_round, "_save", save_and_reword)
    info = run_here("0:1", source=source)
    assert (info.status, info.message) == ("finished", "")
    trained = open_model(info.source)
    assert trained.card.title.startswith("tiny-llama as pirate") and trained.card.parent == source
    assert templated(trained, "Hi") == "<s>system: You are a pirate.\nuser: Hi\nassistant:"
    assert format_of(trained.tokenizer).system == "You are a pirate."
    assert store.get_json(info.id, "before")["model"] == spoken.fingerprint, "in the wording that it began with"
    delete_chat("pirate")
    assert model_card(info.source).fingerprint == trained.fingerprint
