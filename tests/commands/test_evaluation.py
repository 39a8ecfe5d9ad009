"""``evaluate --compare``: both models' rates on the same prompts, and how far they lie apart."""

import pytest


def test_the_difference_of_two_models(home, model_folder, second_folder, tmp_path, call, call_json):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("How?\nWhy is it so?\nTell me more.")
    shared = ["--harmful", prompts, "--benign", prompts, "--twins", prompts, "--max-new-tokens", 3, "--random-draws", 2]
    arguments = ["evaluate", "--model", model_folder, "--compare", second_folder, *shared]
    found = call_json(*arguments)
    assert found["rows"] == call_json("evaluate", "--model", model_folder, *shared)["rows"]
    assert found["other_rows"] == call_json("evaluate", "--model", second_folder, *shared)["rows"]
    assert [row["condition"] for row in found["difference"]] == ["ORI", "ES", "SAS", "FULL", "RANDOM"]
    for row, one, other in zip(found["difference"], found["rows"], found["other_rows"], strict=True):
        for prefix in ("", "benign_", "twin_"):
            points = 100 * (one[f"{prefix}refusal_rate"] - other[f"{prefix}refusal_rate"])
            assert row[f"{prefix}difference_points"] == pytest.approx(points)
            low, high = row[f"{prefix}difference_interval"]
            assert -100 <= low <= points <= high <= 100
            assert row[f"{prefix}n"] == 3
    text = call(*arguments).stdout
    assert "the same prompts" in text and "Newcombe" in text


def test_safe_twins_are_asked_by_default_but_not_with_harmful_prompts_of_ones_own(
    home, model_folder, tmp_path, call, call_json
):
    arguments = ["evaluate", "--model", model_folder, "--max-new-tokens", 1, "--limit", 2]
    found = call_json(*arguments)
    assert found["prompts"]["twin"] == "built-in safe twins, test"
    assert [row["twin_n"] for row in found["rows"]] == [2] * 5
    text = call(*arguments).stdout
    assert "twin_refusal_rate" in text and "benign: built-in benign, test" in text
    own = tmp_path / "own.txt"
    own.write_text("How?\nWhy?")
    assert list(call_json(*arguments, "--harmful", own)["prompts"]) == ["harmful", "benign"]
    assert "twin_" not in call(*arguments, "--harmful", own).stdout
