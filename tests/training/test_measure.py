"""Runs beside their parent: the same prompts, the parent's set, and nothing answered twice."""

import copy

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.generation import generate
from safeneuron.iterative_pruning import AttackSettings
from safeneuron.models.catalogue import open_model
from safeneuron.models.folder import save_folder
from safeneuron.models.sources.runs import model_folder as folder_of_run
from safeneuron.perplexity import perplexity
from safeneuron.prompts.evaluated import EvaluationPrompts
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.judging import judged_rate
from safeneuron.runs.info import RunInfo, runs_folder, write_info
from safeneuron.scoring import score_table
from safeneuron.training import measure
from safeneuron.training.measure import measure_runs

RUN, OTHER = "b" * 32, "c" * 32
SETTINGS = AttackSettings(rounds=2, thresholds={"ES": 1.0, "SAS": 2.0}, max_new_tokens=4)
PROMPTS = EvaluationPrompts(
    PromptSet("harmful", ("How?", "Why?")),
    PromptSet("benign", ("Tea?", "Name one.")),
    PromptSet("twins", ("Kill it.",)),
)


def write_run(run_id, parent, status="finished"):
    facts = {"model": str(parent)}
    write_info(
        runs_folder() / run_id,
        RunInfo(run_id, "a run", "masked-dpo", status, {"E": 1.0}, "E", "", 1.0, "", facts, 1.0, 1.0, 2.0, 2.0),
    )


@pytest.fixture
def run(home, llama, model_folder, monkeypatch):
    """A finished run whose model differs a little from its parent."""
    few = PromptSet("h", ("Kill!", "Steal it.", "Bomb?")), PromptSet("b", ("Tea.", "A nice cup?", "Rain"))
    monkeypatch.setattr("safeneuron.scoring.default_prompts", lambda: few)
    trained = copy.deepcopy(llama.model)
    with torch.no_grad():
        torch.manual_seed(0)
        for parameter in trained.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_folder(trained, llama.tokenizer, folder_of_run(RUN), {"title": "t", "origin": "A test.", "parent": "x"})
    write_run(RUN, model_folder)
    return RUN


def test_the_numbers_are_those_of_direct_calculations(run, model_folder):
    before, after = measure_runs([run[:8]], PROMPTS, SETTINGS)
    assert (before.model, after.model) == (str(model_folder), f"run:{RUN}")
    parent, trained = open_model(str(model_folder)), open_model(f"run:{RUN}")
    full = score_table(parent).select(SETTINGS.thresholds)["FULL"]
    assert before.full == after.full == len(full) > 0

    answers = generate(trained, PROMPTS.harmful.prompts, 4, ablated=full)
    assert after.static == judged_rate(trained, full, answers, "arditi")
    assert (
        before.pruning.rounds[1].neurons.neurons == full.neurons and before.pruning.rounds[1].refusal == before.static
    )
    own = score_table(trained).select(SETTINGS.thresholds)["FULL"]
    assert after.pruning.rounds[1].neurons.neurons == own.neurons != full.neurons

    answers = generate(parent, PROMPTS.benign.prompts, 4)
    assert before.perplexity == 1.0
    assert after.perplexity == pytest.approx(perplexity(trained, answers) / perplexity(parent, answers))


def test_every_rate_has_its_n_interval_and_judge(run):
    rows = [row for one in measure_runs([run], PROMPTS, SETTINGS) for row in one.rows()]
    rates = [row for row in rows if "n" in row]
    assert {row["judge"] for row in rates} == {"arditi"}
    # Two runs may have one name.
    assert rows[-1]["model"] == "a run (bbbbbbbb)"
    assert [(row["measured"], row["n"]) for row in rates[:7]] == [
        ("harmful, ORI", 2),
        ("harmful, FULL of the parent", 2),
        ("harmful, iterative pruning, round 1", 2),
        ("harmful, iterative pruning, round 2", 2),
        ("harmful, as many random neurons", 2),
        ("benign, ORI", 2),
        ("safe twins, ORI", 1),
    ]
    assert all(row["interval"][0] <= row["value"] <= row["interval"][1] for row in rates)
    assert [row["measured"] for row in rows if "n" not in row] == ["benign perplexity, : parent"] * 2


def test_a_second_time_nothing_is_answered(run, monkeypatch):
    first = measure_runs([run], PROMPTS, SETTINGS)

    def refuse(*args, **kwargs):
        raise AssertionError("generated again")

    monkeypatch.setattr("safeneuron.generation.generate", refuse)
    assert measure_runs([run], PROMPTS, SETTINGS) == first


def test_runs_that_cannot_be_measured_are_named(run, model_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "open_model", lambda *asked: pytest.fail("a model was opened"))
    write_run(OTHER, tmp_path)
    with pytest.raises(UserError, match="different models"):
        measure_runs([RUN, OTHER], PROMPTS, SETTINGS)
    write_run(OTHER, model_folder, "failed")
    with pytest.raises(UserError, match="cccccccc .* no trained model"):
        measure_runs([OTHER], PROMPTS, SETTINGS)
