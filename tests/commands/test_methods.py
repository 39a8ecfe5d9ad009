"""``score --methods`` and ``methods``: every score of the Neurons page, with options, thresholds and agreement."""

import numpy as np
import pandas as pd
import pytest

from safeneuron.neurons import NeuronSet
from safeneuron.scores.score import identifying_scores, scores

MODEL = ("score", "--model")


@pytest.fixture
def files(tmp_path, prompts):
    harmful, benign = tmp_path / "harmful.txt", tmp_path / "benign.txt"
    harmful.write_text("\n".join(prompts[:3]))
    benign.write_text("\n".join(prompts[3:]))
    return "--harmful", harmful, "--benign", benign


def test_methods_lists_every_score_with_its_options(call_json, call):
    found = {row["name"]: row for row in call_json("methods")["methods"]}
    assert list(found) == list(scores())
    for name, score in scores().items():
        assert (found[name]["source"], found[name]["threshold"]) == (score.source, score.default_threshold)
        assert [option["name"] for option in found[name]["options"]] == [option.name for option in score.options]
    assert "Significance.permutations=1000" in call("methods").stdout


def test_more_scores_with_options_and_thresholds(call_json, model_folder, files, tmp_path, home):
    out = tmp_path / "out"
    chosen = ("--methods", "Significance, Probe,ES", "--option", "Significance.permutations=200", "--tau", "Probe=0.5")
    found = call_json(*MODEL, model_folder, *files, *chosen, "--out", out)
    assert list(found["methods"]) == ["Significance", "Probe"]
    assert found["methods"]["Significance"]["options"] == {"permutations": 200}
    assert found["thresholds"]["Probe"] == found["methods"]["Probe"]["threshold"] == 0.5
    frame = pd.read_parquet(out / "scores.parquet")
    assert list(frame) == ["layer", "index", "ES", "SAS", "mean_harmful", "mean_benign", "Significance", "Probe"]
    above = frame[frame["Probe"] > 0.5]
    assert len(above) == found["sets"]["Probe"]["count"] == found["methods"]["Probe"]["count"] > 0
    assert NeuronSet.load(out / "Probe.json").neurons == set(zip(above["layer"], above["index"], strict=True))
    strongest = found["methods"]["Probe"]["strongest"]
    assert [row["value"] for row in strongest] == sorted(frame["Probe"], reverse=True)[:20]
    full = NeuronSet.load(out / "FULL.json").mask().ravel()
    assert found["sets"]["FULL"]["significant"] == (frame["Significance"][full] > -np.log10(0.05)).sum()
    pairs = {(row["first"], row["second"]) for row in found["agreement"]["spearman"]}
    assert len(pairs) == 6 and ("ES", "SAS") in pairs
    expected = frame["ES"].corr(frame["SAS"], method="spearman")
    assert found["agreement"]["spearman"][0]["correlation"] == pytest.approx(expected)


def test_the_table_names_the_strongest_and_the_agreement(call, model_folder, files, home):
    shown = call(*MODEL, model_folder, *files, "--methods", "Probe").stdout
    assert "rank correlation" in shown and shown.count("Probe") >= 6


def test_a_score_of_two_models_needs_the_second(call, call_json, model_folder, second_folder, files, home):
    refused = call(*MODEL, model_folder, *files, "--methods", "Change")
    assert refused.exit_code == 2 and "--second" in refused.stderr
    small = ("--option", "Change.prompts=2", "--option", "Change.new_tokens=4")
    found = call_json(*MODEL, model_folder, *files, "--methods", "Change", *small, "--second", second_folder)
    assert found["methods"]["Change"]["strongest"][0]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "Nonsense"), "There is no score 'Nonsense'"),
        (("--methods", "Probe", "--option", "SNIP.prompts=4"), "none of the scores asked for"),
        (("--methods", "SNIP", "--option", "SNIP.prompts"), "is not of the form"),
        (("--methods", "SNIP", "--option", "SNIP.nothing=4"), "no option 'nothing'"),
        (("--methods", "SNIP", "--option", "SNIP.prompts=many"), "give a number from"),
        (("--methods", "Probe", "--tau", "Probe=high"), "no number behind the equals sign"),
        (("--methods", "Probe", "--tau", "Probe=-1"), "at least 0"),
    ],
)
def test_what_does_not_exist_is_refused_before_the_model_opens(call, arguments, message, home):
    result = call("score", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_all_means_all_that_one_model_has(call_json, model_folder, files, home):
    found = call_json(*MODEL, model_folder, *files, "--methods", "all", "--option", "SNIP.prompts=2")
    expected = {name for name, score in scores().items() if not score.needs_other} - set(identifying_scores())
    assert set(found["methods"]) == expected
