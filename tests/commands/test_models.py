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


def test_check_says_that_the_chat_template_is_not_the_models_own(home, model_folder, call, call_json):
    assert call_json("models", "check", model_folder)["chat_notes"] == []
    (model_folder / "chat_template.jinja").unlink()
    found = call_json("models", "check", model_folder)
    assert "brings no chat template" in found["chat_notes"][0]
    assert found["chat_notes"][0] in call("models", "check", model_folder).stdout


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
