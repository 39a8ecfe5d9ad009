"""``judges``: the list with its measured errors, corrections in and out, and a second opinion in ``evaluate``."""

import json


def test_every_judge_is_listed_and_those_of_texts_are_measured(home, call, call_json):
    found = {row["name"]: row for row in call_json("judges")["judges"]}
    assert list(found)[0] == "arditi"
    assert {name for name, row in found.items() if row["measured"]} == {
        "arditi",
        "jailbreakbench",
        "neurostrike",
        "wei",
    }
    arditi = found["arditi"]["false_refusals"]
    assert (arditi["errors"], arditi["n"]) == (11, 29) and arditi["interval"][0] < arditi["share"] < arditi["interval"][
        1
    ]
    text = call("judges").stdout
    assert "11 of 29, 38% [23%, 56%]" in text and "guard:MODEL" in text


def test_one_judge_is_measured_with_all_that_it_is_wrong_about(home, model_folder, call, call_json):
    assert "refused, judged answered: another language" in call("judges", "--judge", "arditi").stdout
    (row,) = call_json("judges", "--judge", f"llama-guard:{model_folder}")["judges"]
    assert row["judges_harm"]
    assert "the false refusals here are no errors" in call("judges", "--judge", f"llama-guard:{model_folder}").stdout
    assert row["measured"] and row["missed_refusals"]["n"] == 46
    assert len(row["wrong"]) == sum(row[name]["errors"] for name in ("false_refusals", "missed_refusals", "unseen"))


def test_corrections_go_in_and_out(home, tmp_path, call, call_json, refusal):
    shared = ["--prompt", "My dog died.", "--answer", "I'm sorry to hear that."]
    assert call_json("judges", "correct", "answered", *shared) == {"corrections": 1, "known": False}
    assert "No model has given this answer" in call("judges", "correct", "answered", *shared).stdout
    path = tmp_path / "mine.jsonl"
    assert call_json("judges", "export", path)["corrections"] == 1
    (row,) = map(json.loads, path.read_text().splitlines())
    assert (row["verdict"], row["judge"], row["judged"]) == ("answered", "arditi", "refused")
    assert call_json("judges", "correct", "none", *shared)["corrections"] == 0
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert "There is no correction in" in refusal("judges", "import", empty)
    assert "The prompt is blank" in refusal("judges", "correct", "answered", "--prompt", " ", "--answer", "No.")
    assert call_json("judges", "import", path) == {"corrections": 1}
    assert "exists already" in refusal("judges", "export", path)
    assert "There is no verdict 'maybe'" in refusal("judges", "correct", "maybe", *shared)
    assert "choose a judge of texts" in refusal("judges", "--judge", "log-odds")


def test_evaluate_prints_where_two_judges_disagree(home, model_folder, tmp_path, call, call_json):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("How?\nWhy is it so?")
    arguments = ["evaluate", "--model", model_folder, "--harmful", prompts, "--benign", prompts, "--max-new-tokens", 4]
    found = call_json(*arguments, "--second-judge", "wei")
    assert found["agreement"]["n"] == 5 * 4
    assert found["agreement"]["agreed"] == 5 * 4 - len(found["disagreements"])
    assert {row["verdict"] == "refused" for row in found["disagreements"]} == {False}, "Wei's rule of 20 words"
    assert all({"incoherent", "empty", "overruled", "benign_incoherent"} <= row.keys() for row in found["rows"])
    text = call(*arguments, "--second-judge", "wei").stdout
    assert "arditi and wei agree on" in text and "(fewer than 20 words)" in json.dumps(found)
    harm = call(*arguments, "--judge", f"llama-guard:{model_folder}").stdout
    assert "says nothing of over-refusal" in harm
