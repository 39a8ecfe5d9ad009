"""``runs show`` has every number that the Training and Robustness pages show of a run."""

import pytest

from safeneuron.neurons import NeuronSet
from safeneuron.runs import curves, store
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets

STEPS = 30


@pytest.fixture
def run(home):
    info = store.create_run("a run", "masked-dpo", {"max_steps": STEPS}, {"Training": 1.0})
    for step in range(1, STEPS + 1):
        curves.log_metrics(info.id, step, {"loss": 1 / step, "rewards/margins": step, "grad_norm": 0.5})
    curves.log_metrics(info.id, 2, {"logps/chosen": float("nan")})
    row = {"condition": "ORI", "neurons": 0, "n": 4, "refusal_rate": 0.75, "interval": [0.3, 0.95]}
    row |= {"judge": "arditi", "benign_n": 2, "benign_refusal_rate": 0.0, "benign_interval": [0.0, 0.66], "draws": 1}
    store.put_json(info.id, "before", {"model": "parent", "rows": [row]})
    store.finish(info.id)
    return info.id


def test_the_curves_are_rows_in_order_of_step(run, call_json):
    found = call_json("runs", "show", run)
    assert [row["step"] for row in found["curves"]] == list(range(1, STEPS + 1))
    assert found["curves"][0] == {"step": 1, "loss": 1.0, "rewards/margins": 1.0, "grad_norm": 0.5}
    assert found["curves"][1]["logps/chosen"] is None  # JSON knows no NaN
    assert found["tables"]["before"][0]["refusal_rate"] == 0.75
    assert found["parameters"] == {"max_steps": STEPS}
    assert [event["text"] for event in found["events"]] == ["Queued", "Finished"]


def test_people_read_a_dozen_steps_from_the_first_to_the_last(run, call):
    text = call("runs", "show", run).stdout
    facts, curves, table = text.strip().split("\n\n")
    lines = curves.splitlines()
    assert lines[0].split() == ["step", "loss", "rewards/margins", "rewards/accuracies"]
    assert [line.split()[0] for line in (lines[2], lines[-2])] == ["1", str(STEPS)]
    assert lines[-1] == "(18 more steps, and more curves, with --json)"
    assert table.splitlines()[2].split()[:3] == ["before", "ORI", "0"]


def test_a_run_without_curves_shows_where_it_stands(home, call_json, call):
    info = store.create_run("a run", "masked-dpo", {}, {"Training": 1.0})
    assert call_json("runs", "show", info.id)["curves"] == []
    assert call("runs", "show", info.id).stdout.startswith(f"run: {info.id}\nname: a run\nstatus: queued")


@pytest.fixture
def with_sets(run):
    for number, neurons in enumerate([{(0, 1), (0, 2)}, {(0, 1), (1, 3)}]):
        full = NeuronSet("FULL", f"m{number}", (3, 40), frozenset(neurons))
        keep_safety_sets(run, RoundSets(number, f"m{number}", {"ES": full, "SAS": full, "FULL": full}, 2))
    return run


def test_what_a_run_changed_is_drawn_into_a_file(with_sets, call_json, tmp_path):
    out = tmp_path / "moved.html"
    found = call_json("runs", "picture", with_sets[:8], "--out", out)
    assert "1 of them new; 1 of the parent" in out.read_text()
    assert sum(row["new"] or 0 for row in found["rows"] if row["model"] == "after round 1") == 1
    flow = call_json("runs", "picture", with_sets, "--out", out, "--what", "flow")
    assert flow["title"] == "Of 2 safety neurons 1 are still in the set of 2 after round 1"
    assert flow["rows"][1]["kept"] == 1 and "kept by chance" in out.read_text()


def test_a_run_without_sets_has_no_picture(run, refusal, tmp_path):
    assert "start it again" in refusal("runs", "picture", run, "--out", tmp_path / "moved.html")
    assert not (tmp_path / "moved.html").exists()


def test_a_run_gets_another_name(run, call_json):
    assert call_json("runs", "rename", run[:8], "My run") == {"run": run, "name": "My run"}
    assert store.get_run(run).name == "My run"


def test_deleting_asks_first(run, call, monkeypatch):
    refused = call("runs", "delete", run)
    assert refused.exit_code == 1 and "Delete a run" in refused.stderr
    assert store.get_run(run).status == "finished"
    assert call("runs", "delete", run, "--yes").stdout == f"{run} is deleted.\n"
    assert store.list_runs() == []


def test_a_run_at_work_is_not_deleted(home, refusal):
    info = store.create_run("a run", "masked-dpo", {}, {"Training": 1.0})
    assert "still at work; cancel it" in refusal("runs", "delete", info.id, "--yes")
    assert store.get_run(info.id).active


def test_runs_are_compared_in_what_differs(run, call, call_json, refusal):
    other = store.create_run("other", "masked-dpo", {"max_steps": 5, "beta": 0.1}, {"Training": 1.0}).id
    found = call_json("runs", "compare", run, other)
    assert [row["name"] for row in found["runs"]] == ["a run", "other"]
    assert found["settings"] == [
        {"setting": "max_steps", run[:8]: STEPS, other[:8]: 5},
        {"setting": "beta", run[:8]: "—", other[:8]: 0.1},
    ]
    assert [(row["run"], row["table"], row["refusal_rate"]) for row in found["rates"]] == [(run[:8], "before", 0.75)]
    assert "max_steps" in call("runs", "compare", run, other).stdout
    assert "takes two runs or more" in refusal("runs", "compare", run, run[:8])


def test_a_failed_run_shows_the_end_of_its_log(run, call):
    log = store.run_folder(run) / "log"
    log.mkdir()
    (log / "1_0_log.err").write_text("RuntimeError: the end\n")
    assert "RuntimeError" not in call("runs", "show", run).stdout
    store.fail(run, "Memory ran out.")
    shown = call("runs", "show", run)
    assert shown.exit_code == 1
    assert (
        "message: Memory ran out." in shown.stdout and "last lines of its log:\n  RuntimeError: the end" in shown.stdout
    )


def test_a_run_of_the_workspace_is_not_sent(run, refusal):
    assert "without a tracking server" in refusal("runs", "send", run)
