"""``models check``: what the Model page shows, and a red model keeps its numbers to itself everywhere."""

from dataclasses import replace

import pytest

from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.parity_report import ParityReport, keep_parity, kept_parity

GREEN = ParityReport(0.0, 0.0, 0.0, 0.0, neurons=1)
RED = replace(GREEN, bridge_logits=1.0)


def test_check_says_what_the_model_page_says(home, model_folder, call, call_json):
    found = call_json("models", "check", model_folder)
    assert found["passed"] is True
    assert (found["layers"], found["neurons_per_layer"], found["neurons"]) == (3, 40, 120)
    assert found["memory_bytes"] == open_model(str(model_folder)).bytes > 0
    assert (
        f"{found['memory_bytes'] / 1e6:.0f} MB of weights; self-check passed"
        in call("models", "check", model_folder).stdout
    )


@pytest.mark.parametrize("command", ["score", "ablate --set 0:1", "evaluate", "bench"])
def test_a_red_model_gives_no_numbers(home, model_folder, refusal, command):
    keep_parity(model_card(str(model_folder)).fingerprint, RED)
    said = refusal(*command.split(), "--model", model_folder)
    assert said.startswith(
        "Error: tiny-llama fails its self-check (hook ablation : TransformerBridge ablation (logits))"
    )
    assert f"models check {model_folder}" in said


def test_a_red_model_is_not_trained(home, model_folder, refusal):
    keep_parity(model_card(str(model_folder)).fingerprint, RED)
    assert "fails its self-check" in refusal("train", "--model", model_folder)


def test_the_check_is_made_once(home, model_folder, call_json, monkeypatch):
    from safeneuron.models import parity

    call_json("score", "--model", model_folder, "--tau-es", 0.5)
    assert kept_parity(model_card(str(model_folder)).fingerprint).passed
    monkeypatch.setattr(parity, "check_parity", lambda loaded: pytest.fail("checked twice"))
    call_json("score", "--model", model_folder, "--tau-es", 0.5)


def test_fit_says_what_each_kind_of_work_takes(home, model_folder, call, call_json):
    found = call_json("models", "fit", model_folder)
    assert [row["work"] for row in found["rows"]] == ["Loading", "Scoring", "Generating", "Training"]
    assert all(row["fits"] and row["bytes"] > 0 and row["instead"] is None for row in found["rows"])
    assert (found["device"], found["precision"]) == ("cpu", "float32")
    shown = call("models", "fit", model_folder).stdout
    assert "Opened in float32 on the CPU." in shown and "Scoring, 16 at a time" in shown
    assert "known once it is prepared" in call("models", "fit", "smollm2-135m-instruct").stdout


@pytest.mark.parametrize("command", ["models check", "score --model", "ablate --set 0:1 --model", "evaluate --model"])
def test_what_does_not_fit_is_refused_before_it_is_opened(home, model_folder, refusal, call, monkeypatch, command):
    from safeneuron.commands import options
    from safeneuron.models import fit
    from safeneuron.models.memory import Memory

    def opened(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(fit, "memory", lambda _: Memory("memory", 1000, 2000))
    monkeypatch.setattr(options, "open_model", opened)
    said = refusal(*command.split(), model_folder)
    assert "tiny-llama does not fit" in said and "SAFENEURON_ANYWAY=1" in said
    monkeypatch.setenv("SAFENEURON_ANYWAY", "1")
    assert str(call(*command.split(), model_folder).exception) == "opened"


def test_a_run_that_does_not_fit_is_not_started(home, model_folder, refusal, monkeypatch):
    from safeneuron.models import fit
    from safeneuron.models.memory import Memory

    monkeypatch.setattr(fit, "memory", lambda _: Memory("memory", 1000, 2000))
    assert "Training takes about" in refusal("train", "--model", model_folder)
