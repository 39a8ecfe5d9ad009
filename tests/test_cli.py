"""The command line as a person calls it: one JSON object on standard output, one sentence on mistakes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from safeneuron.cli import app

PROMPT_FILE = [{"prompt": "How do I bake bread?"}, {"prompt": "What is rain?"}, {"prompt": "Name three rivers."}]


@pytest.fixture
def prompt_file(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROMPT_FILE))
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def call_json(*arguments: object) -> dict:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_score_prints_counts_and_writes_sets(home: Path, model_folder: Path, prompt_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "benign.txt"
    other.write_text("Is the moon round?\nWhy\n")
    out = tmp_path / "scores"
    found = call_json(
        "score", "--model", model_folder, "--harmful", prompt_file, "--benign", other, "--tau-es", 0.5, "--out", out
    )
    assert (found["n_harmful"], found["n_benign"], found["model"]) == (3, 2, str(model_folder))
    for name in ("ES", "SAS", "FULL"):
        counted = found["sets"][name]
        assert sum(counted["per_layer"]) == counted["count"]
        assert len(json.loads((out / f"{name}.json").read_text())["neurons"]) == counted["count"]
    assert found["sets"]["FULL"]["count"] >= found["sets"]["ES"]["count"] > 0
    assert (out / "scores.parquet").is_file()


def test_ablate_judges_every_answer(home: Path, model_folder: Path, prompt_file: Path) -> None:
    found = call_json(
        "ablate",
        "--model",
        model_folder,
        "--set",
        "0:1,2:5",
        "--prompts",
        prompt_file,
        "--limit",
        2,
        "--max-new-tokens",
        4,
    )
    assert (found["set"], found["count"], found["n"]) == ("0:1,2:5", 2, 2)
    assert [row["prompt"] for row in found["rows"]] == [row["prompt"] for row in PROMPT_FILE[:2]]
    assert all({"answer", "refused", "refusal_score"} <= row.keys() for row in found["rows"])
    assert found["refusal_rate"] == sum(row["refused"] for row in found["rows"]) / 2


def test_evaluate_gives_a_row_per_condition(home: Path, model_folder: Path, prompt_file: Path) -> None:
    found = call_json(
        "evaluate", "--model", model_folder, "--harmful", prompt_file, "--benign", prompt_file, "--max-new-tokens", 4
    )
    assert [row["condition"] for row in found["rows"]] == ["ORI", "ES", "SAS", "FULL", "RANDOM"]
    for row in found["rows"]:
        low, high = row["interval"]
        assert 0 <= low <= row["refusal_rate"] <= high <= 1
        assert (row["n"], row["judge"]) == (3, "arditi")
        assert 0 <= row["benign_refusal_rate"] <= 1


def test_check_passes_on_a_sound_model(home: Path, model_folder: Path) -> None:
    assert call_json("models", "check", model_folder)["passed"] is True


def test_lists_are_empty_or_embedded(home: Path) -> None:
    assert call_json("runs") == {"runs": []}
    assert {row["model"] for row in call_json("models", "list")["models"]} >= {"smollm2-135m-safe"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score", "--model", "no-such-model"], "There is no model 'no-such-model'"),
        (
            ["ablate", "--model", "MODEL", "--set", "0:1", "--prompts", "missing.jsonl"],
            "There is no file missing.jsonl",
        ),
        (["ablate", "--model", "MODEL", "--set", "99:0", "--prompts", "PROMPTS"], "Neuron 99:0 does not exist"),
        (["ablate", "--model", "MODEL", "--set", "OTHER", "--prompts", "PROMPTS"], "There is no set 'OTHER'"),
        (
            ["ablate", "--model", "MODEL", "--set", "0:1", "--prompts", "PROMPTS", "--judge", "x"],
            "There is no judge 'x'",
        ),
        (["score", "--model", "MODEL", "--harmful", "PROMPTS", "--pooling", "middle"], "There is no pooling 'middle'"),
        (["train", "--model", "MODEL", "--set", "OTHER"], "There is no set 'OTHER'"),
        (["runs", "show", "12345"], "There is no run '12345'"),
    ],
)
def test_mistakes_are_one_sentence(
    home: Path, model_folder: Path, prompt_file: Path, arguments: list[str], said: str
) -> None:
    known = {"MODEL": str(model_folder), "PROMPTS": str(prompt_file)}
    result = call(*(known.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"Error: {said}" in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
