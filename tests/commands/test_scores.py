"""``score --compare``: the difference of two models, one of them in memory at a time."""

import gc
import json
import weakref

import pandas as pd
import pytest

from safeneuron.commands import options


@pytest.fixture
def prompts(tmp_path):
    for name, texts in (("harmful", ["How?", "Why is it so?", "Tell me more."]), ("benign", ["Hello", "Good day"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(texts))
    return ["--harmful", tmp_path / "harmful.txt", "--benign", tmp_path / "benign.txt", "--tau-es", 0.5]


def test_the_difference_of_two_models(home, model_folder, second_folder, prompts, tmp_path, call, call_json):
    alone = {}
    for folder in (model_folder, second_folder):
        out = tmp_path / f"alone-{folder.name}"
        alone[folder] = call_json("score", "--model", folder, *prompts, "--out", out)["sets"]
    arguments = ["score", "--model", model_folder, "--compare", second_folder, *prompts]
    found = call_json(*arguments, "--out", tmp_path / "both")
    assert (found["model"], found["compared_with"]) == (str(model_folder), str(second_folder))
    assert found["sets"] == alone[model_folder]

    for name, change in found["set_changes"].items():
        sets = [
            {
                tuple(neuron)
                for neuron in json.loads((tmp_path / f"alone-{folder.name}" / f"{name}.json").read_text())["neurons"]
            }
            for folder in (model_folder, second_folder)
        ]
        assert (change["count"], change["other_count"]) == tuple(map(len, sets))
        assert change["gained"] == len(sets[0] - sets[1]) == sum(change["gained_per_layer"])
        assert change["lost"] == len(sets[1] - sets[0]) == sum(change["lost_per_layer"])
        assert change["shared"] == len(sets[0] & sets[1])

    first, second = (pd.read_parquet(tmp_path / f"alone-{folder.name}" / "scores.parquet") for folder in alone)
    difference = pd.read_parquet(tmp_path / "both" / "difference.parquet")
    pd.testing.assert_series_equal(difference["ES"], first["ES"] - second["ES"])
    largest = found["largest_changes"]["ES"]
    assert len(largest) == 10
    assert abs(largest[0]["difference"]) == pytest.approx(difference["ES"].abs().max())

    text = call(*arguments).stdout
    assert "gained is what only the first has" in text
    assert text.count("\n0 ") == 1, "no row for layer 0"


def test_one_model_is_in_memory_at_a_time(home, model_folder, second_folder, prompts, call_json, monkeypatch):
    opened = []
    open_model = options.open_model

    def watched(source, progress):
        gc.collect()
        assert all(reference() is None for reference in opened), "the first model is still in memory"
        loaded = open_model(source, progress)
        opened.append(weakref.ref(loaded))
        return loaded

    monkeypatch.setattr(options, "open_model", watched)
    call_json("score", "--model", model_folder, "--compare", second_folder, *prompts)
    assert len(opened) == 2


def test_models_of_other_shapes_have_no_difference(home, model_folder, make_tiny, tmp_path, refusal):
    other = make_tiny("llama", num_hidden_layers=2)
    other.model.save_pretrained(tmp_path / "two")
    other.tokenizer.save_pretrained(tmp_path / "two")
    said = refusal("score", "--model", model_folder, "--compare", tmp_path / "two")
    assert said.endswith("so there is no difference per neuron; choose two models of one shape.")


@pytest.mark.parametrize("mistake", ["one prompt", "out is a file", "out cannot be made", "out is too long"])
def test_a_mistake_is_refused_before_the_model_opens(mistake, home, model_folder, tmp_path, refusal, monkeypatch):
    monkeypatch.setattr(options, "open_model", lambda *_: pytest.fail("the model was opened"))
    (tmp_path / "taken.txt").write_text("How?\n")
    arguments, sentence = {
        "one prompt": (["--harmful", tmp_path / "taken.txt"], "a class needs at least two, so give it more."),
        "out cannot be made": (["--out", "/proc/x"], "; name another folder for the scores."),
        "out is too long": (["--out", "a" * 300], "; name another folder for the scores."),
        "out is a file": (["--out", tmp_path / "taken.txt"], "is a file; name a folder for the scores."),
    }[mistake]
    said = refusal("score", "--model", model_folder, *arguments)
    assert said.endswith(sentence)
    assert mistake != "one prompt" or "taken has 1 prompt to score with" in said, "it names the file"


def test_what_is_kept_is_told_again_without_opening_a_model(
    home, model_folder, second_folder, prompts, call_json, monkeypatch
):
    arguments = ["score", "--model", model_folder, "--compare", second_folder, *prompts]
    arguments += ["--methods", "Significance,SN-Tune"]
    before = call_json(*arguments)
    monkeypatch.setattr(options, "open_model", lambda *_: pytest.fail("a model was opened"))
    assert call_json(*arguments) == before
