"""``train``: presets, single settings over them, and preference pairs from files, as a run gets them."""

import inspect
import json
from dataclasses import fields

import pytest

from safeneuron.commands.train import FIELDS, train
from safeneuron.prompts import builtin
from safeneuron.prompts.pair_files import load_pairs
from safeneuron.runs import store
from safeneuron.training import start
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings


@pytest.fixture
def started(home, model_folder, monkeypatch, call):
    """Return a function that starts a run with these options but no process: its id, and what was said."""
    monkeypatch.setattr(start, "launch", lambda *arguments: None)

    def run(*options):
        result = call("train", "--model", model_folder, *options, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["run"], result.stderr

    return run


def test_a_preset_and_single_settings_over_it(started):
    run, _ = started("--preset", "paper", "--seed", "5", "--lora-rank", "4", "--lora-module", "q_proj", "--float32")
    settings = TrainingSettings.from_json(
        {key: value for key, value in store.get_json(run, "settings").items() if key not in ("source", "set")}
    )
    dpo = settings.dpo
    assert (dpo.learning_rate, dpo.epochs, dpo.max_steps) == (5e-6, 3, 48)
    assert (dpo.seed, dpo.lora_rank, dpo.lora_modules, dpo.bf16) == (5, 4, ("q_proj",), False)
    assert store.get_run(run).parameters["max_steps"] == 48


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lora-module", "q_proj"], "say its rank too"),
        (["--lora-module", "c_fc", "--lora-rank", 4], "no linear module c_fc; choose among q_proj"),
    ],
)
def test_an_adapter_that_could_not_be_trained_is_refused_at_once(home, model_folder, refusal, options, message):
    assert message in refusal("train", "--model", model_folder, *options)
    assert store.list_runs() == []


@pytest.mark.parametrize(("control", "frozen"), [("plain-dpo", "ORI"), ("random-neurons", "random(ES)")])
def test_a_control_of_a_preset(started, control, frozen):
    run, _ = started("--preset", "laptop", "--preset", control, "--set", "ES")
    settings = store.get_json(run, "settings")
    assert (settings["set"], settings["dpo"]["max_steps"]) == (frozen, 40)
    assert settings["dpo"]["forward_zeroing"] == (control == "random-neurons")


def test_without_options_it_is_the_standard(started):
    run, _ = started()
    usual = json.loads(json.dumps(TrainingSettings().to_json()))
    kept = store.get_json(run, "settings")
    assert kept["dpo"] == usual["dpo"] and kept["harmful_pairs"] == usual["harmful_pairs"]


def test_pairs_from_several_files_are_mixed_and_what_is_left_out_is_said(started, tmp_path):
    pku = [
        {"prompt": f"p{n}", "response_0": "no", "response_1": "yes", "safer_response_id": 0} for n in (0, 0, 1, 2, 3, 4)
    ]
    pku.append(pku[0] | {"prompt": builtin.harmful("test").prompts[0]})
    general = [{"prompt": f"q{n}", "chosen": "yes", "rejected": "no", "kind": "benign"} for n in range(7)]
    (tmp_path / "pku.json").write_text(json.dumps(pku))
    (tmp_path / "general.json").write_text(json.dumps(general))
    run, said = started(
        "--pairs", tmp_path / "pku.json", "--pairs", tmp_path / "general.json", "--safety-share", "0.3", "--epochs", "2"
    )
    sentence = "10 preference pairs. Left out 4: 1 duplicates, 1 whose prompt is in the evaluation, 2 to keep the share"
    assert sentence in said
    kept = load_pairs(store.artifacts_folder(run) / start.PAIRS_FILE)
    assert sorted(pair.kind for pair in kept) == ["benign"] * 7 + ["harmful"] * 3
    assert sum(store.get_json(run, start.LEFT_OUT).values()) == 4
    # Ten pairs, eight a step, twice.
    assert store.get_run(run).parameters["max_steps"] == 4


def test_every_setting_has_an_option(home):
    settings = {found.name for found in (*fields(MaskedDPOSettings), *fields(TrainingSettings))}
    # Thresholds have options of their own; the pooling is that of the scores.
    assert settings - set(FIELDS) == {"dpo", "thresholds", "pooling"}
    assert set(FIELDS) <= set(inspect.signature(train).parameters)


def test_like_an_earlier_run_with_changes(started, tmp_path, refusal, model_folder):
    rows = [{"prompt": f"p{n}", "chosen": "yes", "rejected": "no"} for n in range(4)]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    first, _ = started("--preset", "laptop", "--set", "ES", "--seed", "5", "--pairs", tmp_path / "mine.json")
    assert store.get_json(first, start.PAIRS_FROM) == ["mine.json"]
    second, _ = started("--like", first[:8], "--learning-rate", "3e-5")
    before, after = store.get_json(first, "settings"), store.get_json(second, "settings")
    assert after["dpo"].pop("learning_rate") == 3e-5 and before["dpo"].pop("learning_rate") == 5e-5
    assert after == before and after["set"] == "ES"
    pairs = [load_pairs(store.artifacts_folder(run) / start.PAIRS_FILE) for run in (first, second)]
    assert pairs[0] == pairs[1] and len(pairs[0]) == 4
    assert store.get_json(second, start.PAIRS_FROM) == ["mine.json"]
    both = refusal("train", "--model", model_folder, "--like", first, "--preset", "laptop")
    assert "give --like or --preset" in both


def test_like_a_run_of_given_neurons(started):
    first, _ = started("--set", "0:1,2:3")
    second, _ = started("--like", first)
    assert store.get_json(second, "neurons") == store.get_json(first, "neurons")
    third, _ = started("--like", first, "--set", "ES")
    assert store.get_json(third, "settings")["set"] == "ES"


def test_an_unknown_tracker_is_refused(home, model_folder, refusal):
    assert "Nothing reports to 'wand'" in refusal("train", "--model", model_folder, "--report-to", "wand")
