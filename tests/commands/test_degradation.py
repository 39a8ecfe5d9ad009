"""``degradation`` and ``prune``: the Robustness page's curves and pruning from the command line."""

import pytest

from safeneuron.commands import options
from safeneuron.errors import Cancelled
from safeneuron.prompts import builtin
from safeneuron.prompts.promptset import PromptSet

SMALL = ["--most", 4, "--steps", 2, "--harmful", 2, "--benign", 2, "--twins", 0, "--max-new-tokens", 2]

FEW = ["--prompts", 2, "--held-out", 2]


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch):
    """Score with few prompts."""
    for name in ("harmful", "benign", "twins"):
        whole = getattr(builtin, name)
        monkeypatch.setattr(builtin, name, lambda part, whole=whole: PromptSet(part, whole(part).prompts[:4]))


def test_a_curve_is_measured_listed_shown_and_drawn(home, model_folder, tmp_path, call, call_json):
    found = call_json("degradation", "start", "--model", model_folder, *SMALL)
    assert len(found["points"]) == found["rounds"] == 8 and 0 <= found["area"] <= 1
    (listed,) = call_json("degradation", "list")["curves"]
    assert (listed["curve"], listed["points"], listed["area"]) == (found["fingerprint"], 8, found["area"])
    assert call_json("degradation", "show", listed["curve"][:5]) == found
    text = call("degradation", "show", listed["curve"]).stdout
    assert "Area under the refusal rate" in text and "RANDOM" in text
    picture = tmp_path / "curve.html"
    assert call_json("degradation", "picture", listed["curve"], "--out", picture) == {"file": str(picture)}
    assert "Refusals as neurons are removed" in picture.read_text()
    again = call("degradation", "start", "--model", model_folder, *SMALL)
    assert "0 of 8 points to measure, 0 answers" in again.stderr


def test_a_model_whose_scores_the_set_needs_is_opened_once(home, model_folder, call_json, monkeypatch):
    opened, real = [], options.open_model
    monkeypatch.setattr(options, "open_model", lambda *asked: opened.append(asked) or real(*asked))
    found = call_json("degradation", "start", "--model", model_folder, *SMALL, "--set", "top(4, ES)", "--quick")
    assert max(point["neurons"] for point in found["points"]) == 4 and len(opened) == 1


def test_a_curve_of_a_set_removes_only_its_neurons(home, model_folder, call_json, call):
    neurons = "0:1,0:2,1:3,2:4"
    found = call_json("degradation", "start", "--model", model_folder, *SMALL, "--set", neurons, "--quick")
    assert found["among"] == "custom" and max(point["neurons"] for point in found["points"]) == 4
    assert found["area"] is None
    assert "quick" in call("degradation", "list").stdout


def test_mistakes_in_curves_are_said_in_a_sentence(home, model_folder, refusal):
    assert "at least 5 random controls" in refusal("degradation", "start", "--model", model_folder, "--draws", 3)
    assert "no score 'XX'" in refusal("degradation", "start", "--model", model_folder, "--score", "XX")
    many = ["--harmful", 2, "--benign", 5]
    assert "There are 4 benign test prompts to take" in refusal("degradation", "start", "--model", model_folder, *many)
    assert "no prompts called" in refusal("degradation", "start", "--model", model_folder, "--prompts", "mine")
    assert "no curve" in refusal("degradation", "show", "abc")
    assert "no curve" in refusal("degradation", "picture", "abc", "--out", "x.html")


def test_a_second_job_waits_behind_the_first(home, model_folder, call_json, call, monkeypatch):
    from safeneuron.runs import queue, starting, store

    launched = []
    monkeypatch.setattr(starting, "launch", lambda run_id, target: launched.append(run_id))
    first = store.create_run("another", "test", {}, {"Working": 1.0}).id
    queue.draw_ticket(first, ("cpu",))
    call("degradation", "start", *SMALL, "--model", model_folder, "--background")
    (second,) = launched
    queue.draw_ticket(second, ("cpu",))
    store.request_cancel(second)
    with pytest.raises(Cancelled), queue.turn(second):
        raise AssertionError("both at once")
    rows = {row["run"]: row for row in call_json("runs", "list")["runs"]}
    assert (rows[second]["status"], rows[second]["step"]) == ("queued", f"Waiting for another ({first[:8]})")
    assert "Waiting for another" in call("runs", "list").stdout


def test_pruning_keeps_what_matters_as_a_set(home, model_folder, call, call_json):
    arguments = ["prune", "--model", model_folder, "--set", "0:1,0:2,1:3,2:4", *FEW]
    found = call_json(*arguments, "--max-new-tokens", 2)
    assert found["name"] == "custom-pruned" and len(found["rows"]) == 4 and len(found["rates"]) == 4
    kept = [row["neuron"] for row in found["rows"] if row["in subset"]]
    shown = call_json("sets", "show", "custom-pruned", "--model", model_folder)
    assert [f"{layer}:{index}" for layer, index in shown["neurons"]] == sorted(kept)
    text = call(*arguments, "--max-new-tokens", 2).stdout
    assert f"{len(kept)} of the 4 neurons of custom keep" in text and "held-out" in text


def test_mistakes_in_pruning_are_said_in_a_sentence(home, model_folder, refusal):
    assert "nothing to leave out" in refusal("prune", "--model", model_folder, "--set", "0:1", *FEW)
    assert "at most 1" in refusal("prune", "--model", model_folder, "--set", "0:1,0:2", "--keep", 2)
    assert "There are 4 harmful test prompts" in refusal("prune", "--model", model_folder, *FEW[:2])
