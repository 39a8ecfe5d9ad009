"""Training: what a run is asked to do, what it will cost, and what is seen of it."""

import json
import shutil
import time
from collections import namedtuple
from dataclasses import asdict

import pytest

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.models.device import placement
from safeneuron.pace import Pace
from safeneuron.prompts.pair_files import load_pairs
from safeneuron.runs import curves, launcher, store
from safeneuron.training import start
from safeneuron.training.rounds import PHASES
from safeneuron.training.start import KIND

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def launched(monkeypatch):
    """Start no process; return what would have been started."""
    calls = []
    monkeypatch.setattr(start, "launch", lambda *arguments: calls.append(arguments))
    return calls


def a_run(status: str, steps: int = 2) -> str:
    run = store.create_run("tiny, FULL frozen", KIND, {"max_steps": steps, "model": "tiny"}, PHASES)
    store.start(run.id)
    store.set_phase(run.id, "Training", 0.5)
    for step in range(steps):
        curves.log_metrics(run.id, step + 1, {"loss": 0.7 - step / 10, "rewards/margins": step / 10})
    if status == "finished":
        settings = start.TrainingSettings().to_json() | {"source": "tiny", "set": "FULL"}
        store.put_json(run.id, "settings", settings)
        store.finish(run.id)
    elif status == "failed":
        store.fail(run.id, "The disk is full; free some space.")
    return run.id


def test_the_cost_is_stated_before_the_start(visit):
    at = visit("training")
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


def pairs_file(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_own_pairs_are_counted_kept_and_trained_on(visit, launched):
    rows = [{"prompt": f"p{n}", "chosen": "yes", "rejected": "no"} for n in range(3)]
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value(
        [("mine.jsonl", pairs_file(*rows, rows[0] | {"kind": "twin"}), "")]
    ).run()
    assert not at.exception and not at.error
    assert "**4 preference pairs** read from mine.jsonl: 1 safe twins, 3 without a kind." in at.success[0].value
    assert at.number_input(key="harmful_pairs").disabled
    assert any("3 of them are trained on. Left out 1: 1 duplicates." in caption.value for caption in at.caption)
    at.switch_page("pages/model.py").run()
    at.switch_page("pages/training.py").run()
    assert "4 preference pairs" in at.success[0].value
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    kept = load_pairs(store.artifacts_folder(info.id) / start.PAIRS_FILE)
    assert [pair.prompt for pair in kept] == ["p0", "p1", "p2"]
    assert store.get_json(info.id, start.LEFT_OUT) == {"duplicates": 1}


def test_safety_and_general_pairs_are_mixed_from_two_files(visit, launched):
    safety = [{"prompt": f"p{n}", "response_0": "no", "response_1": "yes", "safer_response_id": 0} for n in range(6)]
    general = [{"prompt": f"q{n}", "chosen": "yes", "rejected": "no", "kind": "benign"} for n in range(7)]
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value([("pku.jsonl", pairs_file(*safety), "")])
    at.number_input(key="safety_share").set_value(0.3).run()
    assert "needs general pairs too" in at.warning[0].value and at.button(key="start_run").disabled
    at.button(key="forget_pairs").click().run()
    both = [("pku.jsonl", pairs_file(*safety), ""), ("general.jsonl", pairs_file(*general), "")]
    at.file_uploader(key="pairs_file_1").set_value(both).run()
    assert not at.warning
    assert any("10 of them are trained on. Left out 3" in caption.value for caption in at.caption)
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    kept = load_pairs(store.artifacts_folder(info.id) / start.PAIRS_FILE)
    assert sorted(pair.kind for pair in kept) == ["benign"] * 7 + ["harmful"] * 3


def test_a_malformed_pairs_file_is_a_sentence_and_starts_nothing(visit, launched):
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file({"prompt": "p"}), "")]).run()
    assert not at.exception
    assert "mine.jsonl, line 1, has no text under chosen and rejected" in at.error[0].value
    assert at.warning[0].value == "Mend the file of preference pairs, or remove it to train on the built-in prompts."
    assert at.button(key="start_run").disabled
    at.file_uploader(key="pairs_file_0").set_value(None).run()
    assert not at.warning and not at.button(key="start_run").disabled


def test_a_run_without_any_pairs_cannot_be_started(visit, launched):
    at = visit("training")
    for kind in ("harmful", "twin", "benign"):
        at.number_input(key=f"{kind}_pairs").set_value(0)
    at.run()
    assert not at.exception
    assert "There is nothing to train on" in at.warning[0].value
    assert at.button(key="start_run").disabled
    row = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file(row), "")]).run()
    assert not at.warning and not at.button(key="start_run").disabled


def test_own_pairs_can_be_put_away(visit, launched):
    at = visit("training")
    row = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file(row), "")]).run()
    at.button(key="forget_pairs").click().run()
    assert not at.success and not at.number_input(key="harmful_pairs").disabled
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    assert not store.has_artifact(info.id, start.PAIRS_FILE)


def test_a_run_in_progress_is_seen_and_can_be_cancelled(visit, home):
    run = a_run("running")
    at = visit("training")
    assert not at.exception
    assert not at.button(key="start_run").disabled
    assert any("tiny, FULL frozen is at work. A new run waits for its turn" in text.value for text in at.caption)
    assert len(at.get("plotly_chart")) == 1
    at.button(key="cancel_run").click().run()
    assert store.cancel_requested(run)


def test_a_preset_fills_in_the_settings_which_can_still_be_changed(visit, launched):
    at = visit("training")
    at.selectbox(key="training_preset").set_value("paper").run()
    assert not at.exception
    assert (at.number_input(key="rate").value, at.number_input(key="epochs").value) == (5e-6, 3)
    assert at.number_input(key="steps").disabled
    # 500 pairs, 32 a step, three times.
    assert any("The 48 steps take" in text.value for text in at.markdown)
    at.selectbox(key="training_preset").set_value("laptop").run()
    at.number_input(key="lora_rank").set_value(8)
    at.text_input(key="lora_modules").set_value("q_proj v_proj")
    at.number_input(key="steps").set_value(5).run()
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
    usual = json.loads(json.dumps(start.TrainingSettings().to_json()))
    assert settings["dpo"] | {"forward_zeroing": True} == usual["dpo"] and settings["harmful_pairs"] == 96


def test_an_own_set_has_a_random_control(visit, launched):
    at = visit("training", set="ORI", changes="1:5,2:6")
    at.segmented_control(key="freeze").set_value("own set")
    at.selectbox(key="training_control").set_value("random-neurons").run()
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    neurons = store.get_json(info.id, "neurons")["neurons"]
    assert [layer for layer, _ in neurons] == [1, 2] and neurons != [[1, 5], [2, 6]]


def test_a_stopped_run_says_where_it_would_go_on_and_does(visit, home, monkeypatch):
    run = a_run("running", steps=48)
    (store.run_folder(run) / launcher.JOB_FILE).write_text('{"target": "a:b", "threads": null}')
    (store.run_folder(run) / "checkpoints" / "checkpoint-16").mkdir(parents=True)
    store.cancelled(run)
    at = visit("training")
    assert any("Resuming goes on from step 16 of 48." in caption.value for caption in at.caption)
    started = []
    monkeypatch.setattr(launcher, "launch", lambda *arguments: started.append(arguments))
    at.button(key="resume_run").click().run()
    assert not at.exception
    assert started == [(run, "a:b", None, launcher.Launch(processes=1))] and store.get_run(run).status == "queued"


def test_a_run_that_the_disk_has_no_room_for_is_not_offered(visit, launched, monkeypatch):
    monkeypatch.setattr("safeneuron.training.checkpoints.shutil.disk_usage", lambda path: Usage(1, 1, 1000))
    at = visit("training")
    assert "free some space" in at.warning[0].value and "of disk" in at.warning[0].value
    assert at.button(key="start_run").disabled


def test_other_pages_show_the_run_in_the_sidebar(visit, home):
    a_run("running")
    at = visit("model")
    assert any("Run in progress" in text.value for text in at.sidebar.markdown)


def test_the_sidebar_shows_the_run_at_work_and_counts_those_that_wait(visit, home):
    a_run("running")
    waiting = store.create_run("another", KIND, {}, PHASES).id
    store.change(waiting, None, step="Waiting for tiny, FULL frozen")
    at = visit("model")
    assert any(text.value == "tiny, FULL frozen · 1 more waits" for text in at.sidebar.caption)
    at = visit("training")
    assert not at.exception
    assert "Waiting for tiny, FULL frozen" in at.dataframe[0].value["doing"].tolist()


def test_a_run_that_dies_is_reported_and_polling_ends(visit, home, monkeypatch):
    run = a_run("running")
    at = visit("model")
    monkeypatch.setattr("safeneuron.runs.processes.STARTING_SECONDS", 0.0)
    time.sleep(0.05)
    at.run()
    assert not at.exception
    assert store.get_run(run).status == "failed"
    assert not any("Run in progress" in text.value for text in at.sidebar.markdown)


def a_model_of(run: str, home, tiny_folder) -> None:
    """Leave a model as a finished run does."""
    shutil.copytree(tiny_folder, home / "models" / run)
    facts = json.loads((home / "models" / run / CARD).read_text()) | {"title": "tiny, trained", "fingerprint": run}
    (home / "models" / run / CARD).write_text(json.dumps(facts))
    write_sums(home / "models" / run)


def test_the_compared_run_is_drawn_over_the_chosen_one(visit, home, tiny_folder):
    first, second = a_run("finished"), a_run("finished")
    a_model_of(first, home, tiny_folder)
    at = visit("training", compare=f"run:{first[:8]}")
    assert not at.exception
    traces = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    looks = {trace["name"][-13:-1]: (trace["line"]["color"], trace["line"]["dash"]) for trace in traces}
    assert looks == {f"run:{first[:8]}": ("#009988", "dot"), f"run:{second[:8]}": ("#ee3377", "solid")}


def test_a_compared_model_without_a_run_is_said(visit, home, tiny_folder):
    a_run("finished")
    a_model_of("b" * 32, home, tiny_folder)
    at = visit("training", compare="run:bbbbbbbb")
    assert not at.exception
    assert any("not in this workspace's run store" in caption.value for caption in at.caption)


def test_mlflow_is_asked_only_when_something_was_logged(visit, home, monkeypatch):
    run = a_run("running")
    at = visit("training")
    asked = []
    history = curves.metric_history
    monkeypatch.setattr(curves, "metric_history", lambda *key: asked.append(key) or history(*key))
    at.run()
    at.run()
    assert not asked
    curves.log_metrics(run, 3, {"loss": 0.1})
    at.run()
    # Only of the curves that there are.
    assert len(asked) == 2


def test_a_failed_run_says_why(visit, home):
    a_run("failed")
    at = visit("training")
    assert "free some space" in at.error[0].value


def test_no_run_yet_says_what_to_do(visit):
    assert "No run yet" in visit("training").info[0].value


def test_a_run_is_renamed_and_deleted_after_a_question(visit, home):
    run = a_run("finished")
    at = visit("training")
    at.text_input(key=f"name_of_{run}").set_value("My run")
    next(button for button in at.button if button.label == "Rename").click().run()
    assert not at.exception and store.get_run(run).name == "My run"
    at.button(key="delete_run").click().run()
    assert any("Delete My run" in text.value for text in at.markdown)
    assert store.list_runs(), "not before the answer"
    at.button(key="delete_for_good").click().run()
    assert not at.exception and store.list_runs() == []


def test_a_run_at_work_offers_no_deletion(visit, home):
    a_run("running")
    assert not [button for button in visit("training").button if button.key == "delete_run"]


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


def test_runs_are_compared_on_the_page(visit, home):
    first, second = a_run("finished"), a_run("finished", steps=3)
    at = visit("training")
    at.multiselect(key="compared_runs").set_value([first]).run()
    assert not at.exception
    frames = [frame.value for frame in at.dataframe]
    differing = next(frame for frame in frames if "setting" in frame.columns)
    assert differing.to_dict("records") == [{"setting": "max_steps", second[:8]: "3", first[:8]: "2"}]
    assert len(at.get("plotly_chart")) == 2


def test_a_failed_run_shows_the_end_of_its_log(visit, home):
    run = a_run("failed")
    (store.run_folder(run) / "log").mkdir()
    (store.run_folder(run) / "log" / "1_0_log.err").write_text("RuntimeError: the end\n")
    assert any("RuntimeError: the end" in code.value for code in visit("training").code)
