"""Training: what a run is asked to do, what it will cost, and what is seen of it."""

import time

import pytest

from safeneuron.runs import store
from safeneuron.training import start
from safeneuron.training.start import KIND, PHASES


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
        store.log_metrics(run.id, step + 1, {"loss": 0.7 - step / 10, "rewards/margins": step / 10})
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
    cost = next(text.value for text in at.markdown if "The 10 steps take" in text.value)
    assert "about 60 s" in cost and "rough guess from the prototype" in cost


def test_a_finished_run_makes_the_cost_a_measured_one(visit, home):
    a_run("finished")
    at = visit("training")
    cost = next(text.value for text in at.markdown if "steps take" in text.value)
    assert "last run on this machine" in cost


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


def test_a_run_in_progress_is_seen_and_can_be_cancelled(visit, home):
    run = a_run("running")
    at = visit("training")
    assert not at.exception
    assert at.button(key="start_run").disabled
    assert len(at.get("plotly_chart")) == 1
    at.button(key="cancel_run").click().run()
    assert store.cancel_requested(run)


def test_other_pages_show_the_run_in_the_sidebar(visit, home):
    a_run("running")
    at = visit("model")
    assert any("Run in progress" in text.value for text in at.sidebar.markdown)


def test_a_run_that_dies_is_reported_and_polling_ends(visit, home, monkeypatch):
    run = a_run("running")
    at = visit("model")
    monkeypatch.setattr("safeneuron.runs.processes.STARTING_SECONDS", 0.0)
    time.sleep(0.05)
    at.run()
    assert not at.exception
    assert store.get_run(run).status == "failed"
    assert not any("Run in progress" in text.value for text in at.sidebar.markdown)


def test_a_failed_run_says_why(visit, home):
    a_run("failed")
    at = visit("training")
    assert "free some space" in at.error[0].value


def test_no_run_yet_says_what_to_do(visit):
    assert "No run yet" in visit("training").info[0].value
