from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.folder import save_folder
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs import store
from safeneuron.runs.cluster import Launch, NotTaken
from safeneuron.training import start
from safeneuron.training.lora import linear_modules
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
from safeneuron.training.start import start_training
from tests.tiny_models import CASES


@pytest.fixture(autouse=True)
def launched(monkeypatch):
    """Start no process; return what would have been started."""
    calls = []
    monkeypatch.setattr(start, "launch", lambda *arguments: calls.append(arguments))
    return calls


def test_mistakes_show_before_a_run_is_made(home, model_folder, llama, some_neurons, tmp_path):
    folder = str(model_folder)
    foreign = NeuronSet("foreign", "other", (2, 2), frozenset({(1, 1)}))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for source, neurons, message in [
        ("no-such-model", "FULL", "There is no model"),
        (folder, "HALF", "There is no set 'HALF'"),
        (folder, foreign, "choose a set of this model"),
        (folder, "99:0", "does not exist"),
        (folder, "1:a", "is not a neuron"),
        (folder, str(broken), "is not a neuron set"),
    ]:
        with pytest.raises(UserError, match=message):
            start_training(source, neurons)
    assert store.list_runs() == []


@pytest.mark.parametrize("name", CASES)
def test_the_modules_of_an_adapter_are_asked_of_the_config(home, make_tiny, name, launched, tmp_path):
    family, config = CASES[name]
    loaded = make_tiny(family, **config)
    save_folder(loaded.model, loaded.tokenizer, tmp_path / "model", {"title": name, "origin": "Made."})
    known = linear_modules(loaded.model)
    right, wrong = (replace(MaskedDPOSettings(lora_rank=4), lora_modules=names) for names in (known, ("lm_head",)))
    with pytest.raises(UserError, match=f"no linear module lm_head; choose among {', '.join(known)}"):
        start_training(str(tmp_path / "model"), "FULL", TrainingSettings(wrong))
    assert store.list_runs() == []
    start_training(str(tmp_path / "model"), "FULL", TrainingSettings(right))
    assert len(launched) == 1


@pytest.mark.parametrize(("counts", "pairs"), [((0, 0, 0), None), ((96, -48, -48), None), ((96, 48, 48), ())])
def test_a_run_without_pairs_is_not_made(home, model_folder, counts, pairs):
    settings = TrainingSettings(**dict(zip(("harmful_pairs", "twin_pairs", "benign_pairs"), counts, strict=True)))
    with pytest.raises(UserError, match="nothing to train on"):
        start_training(str(model_folder), "FULL", settings, pairs)
    assert store.list_runs() == []


def test_own_pairs_need_no_built_ones(home, model_folder, launched):
    settings = TrainingSettings(harmful_pairs=0, twin_pairs=0, benign_pairs=0)
    start_training(str(model_folder), "FULL", settings, [PreferencePair("p", "yes", "no")])
    assert len(launched) == 1


def test_a_typed_set_is_kept_with_the_run(home, model_folder, launched):
    run_id = start_training(str(model_folder), "0:1,2:3")
    assert store.get_json(run_id, "neurons")["neurons"] == [[0, 1], [2, 3]]
    assert launched == [(run_id, start.JOB, None, Launch(processes=1))]


def test_a_kept_set_goes_with_the_run_as_it_is_now(home, model_folder, launched):
    from safeneuron.models.catalogue import model_card
    from safeneuron.sets.kept import delete_set, keep_set

    model = model_card(str(model_folder)).fingerprint
    keep_set(NeuronSet("x", model, (3, 40), frozenset({(0, 1)}), {"typed": "0:1"}), "mine", model)
    spelled_out = start_training(str(model_folder), "mine")
    needs_scores = start_training(str(model_folder), "top(3, ES) | mine")
    delete_set("mine", model)
    kept = store.get_json(spelled_out, "neurons")
    assert (kept["name"], kept["neurons"], kept["origin"]) == ("mine", [[0, 1]], {"typed": "0:1"})
    assert store.get_json(needs_scores, "given_sets")["mine"]["neurons"] == [[0, 1]]
    assert not store.has_artifact(needs_scores, "neurons.json")
    assert store.get_run(needs_scores).parameters["set"] == "top(3, ES) | mine"


def test_a_set_of_another_model_is_frozen_only_when_the_person_says_so(home, model_folder, launched, tmp_path):
    path = tmp_path / "theirs.json"
    NeuronSet("theirs", "stranger", (3, 40), frozenset({(0, 1)})).save(path)
    with pytest.raises(UserError, match="was found on another model"):
        start_training(str(model_folder), str(path))
    run_id = start_training(str(model_folder), str(path), foreign=True)
    assert store.get_json(run_id, "neurons")["origin"] == {"made for another model": "stranger"}


def test_a_folder_is_kept_with_its_full_path(home, model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    run_id = start_training(f"./{model_folder.name}", "FULL")
    assert store.get_json(run_id, "settings")["source"] == str(model_folder)


def test_a_run_that_slurm_does_not_take_leaves_nothing(home, model_folder, monkeypatch):
    def refuse(*arguments):
        raise NotTaken("Slurm does not take the run: no such partition.")

    monkeypatch.setattr(start, "launch", refuse)
    with pytest.raises(UserError, match="no such partition"):
        start_training(str(model_folder), "FULL")
    assert store.list_runs() == []


def test_a_run_that_cannot_be_launched_is_failed(home, model_folder, monkeypatch):
    def refuse(*arguments):
        raise UserError("No process could be started.")

    monkeypatch.setattr(start, "launch", refuse)
    with pytest.raises(UserError, match="No process"):
        start_training(str(model_folder), "FULL")
    (info,) = store.list_runs()
    assert (info.status, info.message) == ("failed", "No process could be started.")


@pytest.mark.parametrize("rate", [0.0, -1e-5, float("nan"), float("inf")])
def test_a_learning_rate_that_means_nothing_is_refused(rate):
    with pytest.raises(UserError, match="above 0"):
        MaskedDPOSettings(learning_rate=rate)


def test_a_run_on_four_bit_weights_is_refused(home, model_folder, monkeypatch):
    from safeneuron.models.device import Placement

    monkeypatch.setattr(start, "placement", lambda: Placement("cuda:0", "4bit"))
    with pytest.raises(UserError, match="4-bit weights cannot be trained; unset SAFENEURON_LOAD"):
        start.start_training(str(model_folder), "FULL")


def test_how_it_is_launched_goes_with_the_run_and_mistakes_show_before(home, model_folder, launched, monkeypatch):
    together = Launch(2, "fsdp2")
    start_training(str(model_folder), "0:1", how=together)
    assert launched[0][3] == together
    monkeypatch.setenv("PATH", "")
    for how, changes, message in [
        (together, {"dpo": MaskedDPOSettings(batch_size=5)}, "5 pairs cannot be shared equally"),
        (Launch(cluster="slurm"), {}, "There is no Slurm here"),
    ]:
        with pytest.raises(UserError, match=message):
            start_training(str(model_folder), "0:1", TrainingSettings(**changes), how=how)
    assert len(store.list_runs()) == 1
