"""``look``: its JSON, its table, and what it refuses."""

import pytest

from safeneuron.prompts import builtin


def test_the_object_holds_every_layer_and_a_sum(home, model_folder, call_json):
    found = call_json(
        "look", "--model", model_folder, "--prompt", "Why?", "--set", "1:3,2:7", "--top", 3, "--positions", 4
    )
    assert (found["prompt"], found["set"], found["count"]) == ("Why?", "1:3,2:7", 2)
    for stream, neurons in ((found["original"], 0), (found["ablated"], 2)):
        assert stream["count"] == neurons
        assert [row["layer"] for row in stream["layers"]] == [0, 1, 2]
        assert all(len(row["top"]) == 3 for row in stream["layers"]) and len(stream["positions"]) == 4
        parts = stream["attribution"]
        total = sum(parts[part] for part in ("embedding", "attention", "mlp", "constant", "rounding"))
        assert total == pytest.approx(parts["total"], abs=1e-9)
        assert sum(row["mlp"] for row in stream["layers"]) == pytest.approx(parts["mlp"])
        last = stream["positions"][-1]["top"][-1]
        assert last == stream["layers"][-1]["top"] and 0 < last[0]["probability"] <= 1
    assert found["original"]["layers"][0]["refusal_score"] == found["ablated"]["layers"][0]["refusal_score"]
    assert found["original"]["layers"][1]["norm"] != found["ablated"]["layers"][1]["norm"]


def test_by_itself_it_looks_at_a_harmful_prompt_as_the_model_is(home, model_folder, call, call_json):
    found = call_json("look", "--model", model_folder)
    assert found["prompt"] == builtin.panel()[0].prompts[0] and found["ablated"] is None
    shown = call("look", "--model", model_folder).stdout
    assert found["prompt"] in shown and "ORI, nothing switched off" in shown
    assert "likeliest next tokens" in shown and "less the mean of all logits" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", " "], "The prompt is empty"),
        (["--set", "EVERYTHING"], "There is no set 'EVERYTHING'"),
        (["--set", "9:0"], "Neuron 9:0 does not exist"),
    ],
)
def test_mistakes_are_one_sentence(home, model_folder, refusal, arguments, said):
    assert said in refusal("look", "--model", model_folder, *arguments)


def test_a_set_without_neurons_is_said(home, model_folder, call_json):
    found = call_json("look", "--model", model_folder, "--set", "FULL", "--tau-es", 50, "--tau-sas", 50)
    assert found["count"] == 0 and "nothing was switched off" in found["note"]
