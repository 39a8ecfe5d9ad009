"""Training: what is seen of a run while it works and afterwards, and what can be done with it."""

import json
import shutil
import time

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.runs import curves, launcher, store
from safeneuron.runs.deleting import delete_run
from safeneuron.runs.renaming import rename
from safeneuron.training import start
from safeneuron.training.rounds import PHASES
from safeneuron.training.start import KIND
from safeneuron.ui.run_table import WATCHED


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


def test_a_run_in_progress_is_seen_and_can_be_cancelled(visit, home):
    run = a_run("running")
    at = visit("training")
    assert not at.exception
    assert not at.button(key="start_run").disabled
    assert any("tiny, FULL frozen is at work. A new run waits for its turn" in text.value for text in at.caption)
    assert len(at.get("plotly_chart")) == 1
    at.button(key="cancel_run").click().run()
    assert store.cancel_requested(run)


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


def test_another_dashboards_run_moves_the_rows_and_not_the_choice(visit, home):
    runs = [a_run("finished") for _ in range(3)]

    def row_of(at):
        (row,) = json.loads(at.dataframe[0].proto.selection_default)["selection"]["rows"]
        return row

    at = visit("training")
    assert row_of(at) == 0
    runs.append(a_run("finished"))
    at.run()
    assert not at.exception and row_of(at) == 1, "whether it was chosen or only shown"
    at.session_state[WATCHED] = runs[0]
    runs.append(a_run("finished"))
    at.run()
    assert not at.exception and row_of(at) == 4
    assert f"name_of_{runs[0]}" in [widget.key for widget in at.text_input]
    # Who comes anew sees the newest.
    assert row_of(visit("training")) == 0


def test_a_run_that_another_dashboard_deleted_is_said_and_the_click_meant_for_it_lost(visit, home):
    other, shown = (a_run("running", steps=48) for _ in range(2))
    for run in (other, shown):
        (store.run_folder(run) / launcher.JOB_FILE).write_text('{"target": "a:b", "threads": null}')
        (store.run_folder(run) / "checkpoints" / "checkpoint-16").mkdir(parents=True)
        store.cancelled(run)
    at = visit("training")
    delete_run(shown)
    at.button(key="resume_run").click().run()
    assert not at.exception
    assert f"The run {shown[:8]} that was shown here was deleted." in [found.value for found in at.toast]
    assert store.get_run(other).status == "cancelled", "what was meant for one run is not done to another"
    assert f"name_of_{other}" in [widget.key for widget in at.text_input]


def test_a_damaged_run_can_be_deleted_on_the_page(visit, home):
    a_run("finished")
    damaged = a_run("finished")
    (home / "runs" / damaged / "status.json").write_text("{")
    at = visit("training")
    assert not at.exception and "damaged" in at.error[0].value
    at.button(key="delete_run").click().run()
    at.button(key="delete_for_good").click().run()
    assert not at.exception and damaged not in [info.id for info in store.list_runs()]
    assert not at.error


def test_a_run_on_the_cluster_keeps_no_device_of_this_machine(visit, home):
    run = a_run("running")
    assert any("A new run waits for its turn" in found.value for found in visit("training").caption)
    (home / "runs" / run / "process.json").write_text('{"slurm": "7"}')
    assert not any("A new run waits for its turn" in found.value for found in visit("training").caption)


def test_a_name_is_shown_as_it_is_written(visit, home):
    run = a_run("finished")
    rename(run, "**bold** $x$")
    at = visit("training")
    assert rf"\*\*bold\*\* \$x\$ :gray[{run[:8]}]" in [found.value for found in at.subheader]


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
