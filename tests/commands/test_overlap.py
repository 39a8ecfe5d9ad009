"""``overlap``: the numbers of the page on a tiny model and a person's own files, and mistakes as one sentence."""

import json

import pytest

from safeneuron.models.catalogue import open_model
from safeneuron.overlap.material import Material
from safeneuron.overlap.representation import kept_representation
from safeneuron.overlap.start import JOB
from safeneuron.prompts import builtin
from safeneuron.prompts.promptset import load_prompts
from safeneuron.runs import store
from safeneuron.runs.starting import SETTINGS
from safeneuron.scoring import classes_of

THRESHOLDS = ("--tau-es", 0.5, "--tau-sas", 1)


@pytest.fixture
def files(tmp_path):
    """Options for two files of prompts, the harmful ones of two categories of eight and one of three."""
    rows = [row for row in builtin.harmful_prompts() if row.part == "train"]
    chosen = [row for name, n in (("fraud", 8), ("drugs", 8), ("privacy", 3)) for row in _first(rows, name, n)]
    harmful, benign = tmp_path / "harmful.jsonl", tmp_path / "benign.txt"
    harmful.write_text("\n".join(json.dumps({"prompt": row.prompt, "kind": row.category}) for row in chosen))
    benign.write_text("\n".join(builtin.benign("train").prompts[:9]))
    return "--harmful", harmful, "--benign", benign


def _first(rows, name, count):
    return [row for row in rows if row.category == name][:count]


def test_every_part_of_one_s_own_prompts(home, model_folder, files, call_json, call):
    arguments = ("overlap", "--model", model_folder, *files, "--category-column", "kind", *THRESHOLDS)
    found = call_json(*arguments)
    assert (found["n_harmful"], found["n_benign"], found["pooling"]) == (19, 9, "last")
    assert sum(found["depth"]["models"][str(model_folder)]["count_per_layer"]) == found["stability"]["count"]
    assert found["depth"]["two_sets"][0]["sets"] == ["ES", "SAS"]
    assert list(found["categories"]["sizes"]) == ["drugs", "fraud"]
    assert "privacy has 3 prompts" in found["categories"]["notes"][0]
    assert [row["k"] for row in found["categories"]["overlap_ratio"]["mean"]["by_k"]] == [2]
    assert found["layers"]["categories"] == ["drugs", "fraud"] and "drift" not in found["layers"]
    assert len(found["writing"]["logits"]["share"]) == 3
    loaded = open_model(str(model_folder))
    classes = classes_of(*(load_prompts(path) for path in files[1::2]))
    labels = {row.prompt: row.category for row in builtin.harmful_prompts() if row.prompt in classes.harmful.prompts}
    kept = kept_representation(Material(loaded.fingerprint, classes, labels))
    assert found["layers"]["probe_accuracy"] == kept.probes.accuracy.tolist()
    text = call(*arguments).stdout
    assert text.startswith("depth\n-----\n") and found["layers"]["reading"] in text


def test_two_models(home, model_folder, second_folder, files, call_json):
    found = call_json(
        *("overlap", "--model", model_folder, "--compare", second_folder, *files, *THRESHOLDS),
        *("--part", "depth", "--part", "runs"),
    )
    assert [pair["sets"][0] for pair in found["depth"]["two_sets"]] == ["ES", f"FULL of {model_folder}"]
    run = found["runs"]["models"][str(second_folder)]
    assert len(run["cka_harmful"]) == len(run["kept_share_per_layer"]) == 3
    assert run["base_count"] == sum(found["depth"]["models"][str(model_folder)]["count_per_layer"])
    assert f"{second_folder} keeps" in found["runs"]["reading"] and found["compared_with"] == [str(second_folder)]
    assert "categories" not in found and "stability" not in found


def test_other_wordings_are_read_when_they_are_asked_for(home, model_folder, files, call_json):
    arguments = ("overlap", "--model", model_folder, *files, *THRESHOLDS)
    found = call_json(*arguments, "--part", "variations")
    names = [(one["kind"], one["name"]) for one in found["variations"]["variations"]]
    assert names[:2] == [("read at", "max"), ("read at", "mean")] and ("wording", "polite") in names
    assert ("system prompt", "assistant") in names and "In other words" in found["variations"]["reading"]


def test_a_background_run_is_asked_the_same(home, model_folder, second_folder, files, call_json, monkeypatch):
    launched = []
    monkeypatch.setattr("safeneuron.runs.starting.launch", lambda run, target: launched.append((run, target)))
    found = call_json(
        *("overlap", "--model", model_folder, "--compare", second_folder, *files, "--category-column", "kind"),
        *(*THRESHOLDS, "--part", "layers", "--part", "runs", "--background"),
    )
    assert launched == [(found["run"], JOB)]
    asked = store.get_json(found["run"], SETTINGS)
    assert (asked["parts"], asked["sources"]) == (["layers", "runs"], [str(model_folder), str(second_folder)])
    assert set(asked["prompts"]["categories"].values()) == {"fraud", "drugs", "privacy"}
    assert asked["thresholds"] == {"ES": 0.5, "SAS": 1}


def test_depth_has_a_row_for_a_model_of_another_shape(home, model_folder, make_tiny, tmp_path, files, call_json):
    other = make_tiny("llama", intermediate_size=20)
    for one in (other.model, other.tokenizer):
        one.save_pretrained(tmp_path / "narrow")
    compared = ("--compare", tmp_path / "narrow", "--part", "depth")
    found = call_json("overlap", "--model", model_folder, *files, *compared, *THRESHOLDS)
    assert list(found["depth"]["models"]) == [str(model_folder), str(tmp_path / "narrow")]
    assert "different shapes" in found["depth"]["two_sets"][1]["reading"]


def test_parts_that_prompts_do_not_allow_are_said(home, model_folder, tmp_path, files, call_json, refusal):
    own = tmp_path / "own.txt"
    own.write_text("\n".join(f"How do I do harm number {number}?" for number in range(9)))
    arguments = ("overlap", "--model", model_folder, "--harmful", own, *files[2:], *THRESHOLDS)
    found = call_json(*arguments)
    assert "choose prompts of two or more categories" in found["categories"]["reading"]
    assert len(found["layers"]["probe_accuracy"]) == 3 and found["layers"]["category_transfer"] == [[], [], []]
    assert "two or more categories" in refusal(*arguments, "--part", "categories")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--part", "width"), "There is no part 'width'"),
        (("--part", "runs"), "name them with --compare"),
        (("--pooling", "middle"), "There is no pooling 'middle'"),
        (("--category-column", "kind"), "give them with --harmful"),
        (("--harmful", "HARMFUL", "--category-column", "topic"), "entry 1, has no 'topic'"),
        (("--harmful", "BENIGN", "--category-column", "topic"), "has no columns"),
    ],
)
def test_mistakes_are_one_sentence(home, model_folder, files, refusal, arguments, sentence):
    known = {"HARMFUL": files[1], "BENIGN": files[3]}
    assert sentence in refusal("overlap", "--model", model_folder, *(known.get(one, one) for one in arguments))


def test_models_of_two_shapes(home, model_folder, make_tiny, tmp_path, refusal):
    other = make_tiny("llama", intermediate_size=20)
    for part in (other.model, other.tokenizer):
        part.save_pretrained(tmp_path / "narrow")
    assert "choose two models of one shape" in refusal(
        "overlap", "--model", model_folder, "--compare", tmp_path / "narrow"
    )
