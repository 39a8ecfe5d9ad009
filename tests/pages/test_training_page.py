"""Training: what a run is asked to do, and what it will cost."""

import json
from collections import namedtuple
from dataclasses import asdict, replace

import pytest

from safeneuron.models.device import placement
from safeneuron.pace import Pace
from safeneuron.runs import store
from safeneuron.runs.cluster import Launch
from safeneuron.training.presets import settings_of
from tests.pages.conftest import pairs_file

Usage = namedtuple("Usage", "total used free")


def test_the_cost_is_stated_before_the_start(visit):
    at = visit("training")
    at.selectbox(key="training_preset").set_value("standard").run()
    at.number_input(key="steps").set_value(10).run()
    cost = next(text for text in at.markdown if "The 10 steps take" in text.value)
    # A model of 30,000 parameters: the default one's 3 s per pair are scaled down to nothing. 80 answers for the
    # pairs, tables of 104 prompts: 3 sets before, 9 after, and twice 24 for the bound of incoherent answers.
    assert "about 5 s" in cost.value and "a guess" in cost.value
    assert "80 preference pairs, 1,376 answers" in cost.proto.help


def test_a_finished_run_makes_the_cost_a_measured_one(visit, home):
    paces = {"run pair": 1.0, "run answer": 1.0, "run reference": 1.0, "run scoring": 100.0}
    kept = {kind: {"tiny": asdict(Pace("tiny", 1, placement().words, seconds))} for kind, seconds in paces.items()}
    (home / "paces.json").write_text(json.dumps(kept))
    at = visit("training")
    at.selectbox(key="training_preset").set_value("standard").run()
    at.number_input(key="steps").set_value(10).run()
    cost = next(text.value for text in at.markdown if "steps take" in text.value)
    # 80 + 80 + 1328 + 100 s.
    assert "about 80 s; the whole run about 27 min, as measured here" in cost


def test_a_run_starts_with_what_was_chosen(visit, launched, tiny_model):
    at = visit("training", tau_ES="1.5")
    at.segmented_control(key="freeze").set_value("ES")
    at.number_input(key="steps").set_value(2)
    at.number_input(key="benign_pairs").set_value(4)
    at.toggle(key="zeroing").set_value(False).run()
    at.button(key="start_run").click().run()
    assert not at.exception and not at.error
    (info,) = store.list_runs()
    assert launched[0][0] == info.id
    settings = store.get_json(info.id, "settings")
    assert (settings["source"], settings["set"]) == (tiny_model, "ES")
    assert (settings["dpo"]["max_steps"], settings["dpo"]["forward_zeroing"]) == (2, False)
    assert settings["benign_pairs"] == 4 and settings["thresholds"]["ES"] == 1.5


def test_the_own_set_can_be_frozen(visit, launched):
    at = visit("training", set="ORI", changes="1:5,2:6")
    at.segmented_control(key="freeze").set_value("own set").run()
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    assert store.get_json(info.id, "neurons")["neurons"] == [[1, 5], [2, 6]]


def test_an_own_set_that_was_put_aside_can_be_frozen(visit, launched):
    at = visit("ablation", set="ORI", changes="1:5,2:6")
    at.segmented_control(key="preset").set_value("FULL").run()
    at.switch_page("pages/training.py").run()
    assert at.sidebar.metric[0].label == "Set in hand: FULL"
    at.segmented_control(key="freeze").set_value("own set").run()
    at.button(key="start_run").click().run()
    assert not at.exception and not at.error
    (info,) = store.list_runs()
    assert store.get_json(info.id, "neurons")["neurons"] == [[1, 5], [2, 6]]


def test_a_preset_fills_in_the_settings_which_can_still_be_changed(visit, launched):
    at = visit("training")
    at.selectbox(key="training_preset").set_value("paper").run()
    assert not at.exception
    assert (at.number_input(key="rate").value, at.number_input(key="epochs").value) == (5e-6, 3)
    assert at.number_input(key="steps").disabled
    # 500 pairs, 32 a step, three times.
    assert any("The 48 steps take" in text.value for text in at.markdown)
    at.selectbox(key="training_preset").set_value("laptop").run()
    assert at.text_input(key="lora_modules").disabled
    at.number_input(key="lora_rank").set_value(8).run()
    at.number_input(key="steps").set_value(5)
    at.text_input(key="lora_modules").set_value("q_proj c_fc").run()
    at.button(key="start_run").click().run()
    assert "no linear module c_fc; choose among q_proj" in at.error[0].value and store.list_runs() == []
    at.text_input(key="lora_modules").set_value("q_proj v_proj").run()
    at.button(key="start_run").click().run()
    assert not at.exception and not at.error
    (info,) = store.list_runs()
    dpo = store.get_json(info.id, "settings")["dpo"]
    assert (dpo["max_steps"], dpo["learning_rate"], dpo["lora_rank"]) == (5, 5e-5, 8)
    assert dpo["lora_modules"] == ["q_proj", "v_proj"]


@pytest.mark.parametrize(
    ("control", "frozen", "zeroing"), [("plain-dpo", "ORI", False), ("random-neurons", "random(ES)", True)]
)
def test_controls_change_only_what_is_frozen(visit, launched, control, frozen, zeroing):
    at = visit("training")
    at.segmented_control(key="freeze").set_value("ES")
    at.selectbox(key="training_control").set_value(control).run()
    at.button(key="start_run").click().run()
    assert not at.exception and not at.error
    (info,) = store.list_runs()
    settings = store.get_json(info.id, "settings")
    assert (settings["set"], settings["dpo"]["forward_zeroing"]) == (frozen, zeroing)
    laptop, _ = settings_of(["laptop"], {})
    usual = json.loads(json.dumps(laptop.to_json()))
    assert settings["dpo"] | {"forward_zeroing": True} == usual["dpo"] and settings["harmful_pairs"] == 144


def test_an_own_set_has_a_random_control(visit, launched):
    at = visit("training", set="ORI", changes="1:5,2:6")
    at.segmented_control(key="freeze").set_value("own set")
    at.selectbox(key="training_control").set_value("random-neurons").run()
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    neurons = store.get_json(info.id, "neurons")["neurons"]
    assert [layer for layer, _ in neurons] == [1, 2] and neurons != [[1, 5], [2, 6]]


def test_a_run_that_the_disk_has_no_room_for_is_not_offered(visit, launched, monkeypatch):
    monkeypatch.setattr("safeneuron.training.checkpoints.shutil.disk_usage", lambda path: Usage(1, 1, 1000))
    at = visit("training")
    assert "free some space" in at.warning[0].value and "of disk" in at.warning[0].value
    assert at.button(key="start_run").disabled


def test_where_a_run_went_fills_the_form_too(visit, launched, monkeypatch):
    monkeypatch.setattr("safeneuron.ui.launching.has_slurm", lambda: True)
    monkeypatch.setattr("safeneuron.runs.cluster.has_slurm", lambda: True)
    at = visit("training")
    assert at.segmented_control(key="launch_where").value == "on this machine"
    at.button(key="start_run").click().run()
    (first,) = store.list_runs()
    how = Launch(4, "fsdp2", "slurm", "debug", 2, 2000.0, 2)
    (store.run_folder(first.id) / "job.json").write_text(json.dumps({"target": "a:b", "how": how.to_json()}))
    store.fail(first.id, "died")
    at = visit("training")
    at.button(key="like_run").click().run()
    assert not at.exception and at.text_input(key="slurm_partition").value == "debug"
    at.button(key="start_run").click().run()
    assert not at.exception and launched[-1][-1] == replace(how, hours=720.0)


def test_a_runs_settings_fill_the_form(visit, launched, tiny_model):
    at = visit("training")
    at.selectbox(key="training_preset").set_value("laptop").run()
    at.number_input(key="rate").set_value(3e-5)
    at.segmented_control(key="freeze").set_value("ES")
    at.selectbox(key="training_control").set_value("random-neurons")
    row = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file(row), "")]).run()
    at.button(key="start_run").click().run()
    (first,) = store.list_runs()
    store.fail(first.id, "died")
    at = visit("training")
    at.button(key="like_run").click().run()
    # The one box in red is the run's own: it died.
    assert not at.exception and ["died" in box.value for box in at.error] == [True]
    assert at.number_input(key="rate").value == 3e-5 and "mine.jsonl" in at.success[0].value
    at.number_input(key="steps").set_value(3).run()
    at.button(key="start_run").click().run()
    second = store.list_runs()[0]
    settings = [store.get_json(run.id, "settings") for run in (first, second)]
    assert [found["dpo"].pop("max_steps") for found in settings] == [40, 3]
    assert settings[0] == settings[1] and settings[0]["set"] == "random(ES)"
