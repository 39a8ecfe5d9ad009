"""The costs of the scores: measured on all of them, away from the person's workspace."""

from safeneuron import score_costs
from safeneuron.scores.score import scores
from safeneuron.workspace import workspace


def test_every_score_is_measured_and_the_workspace_stays_as_it_was(llama, home, monkeypatch):
    monkeypatch.setattr(score_costs, "PROMPTS", 8)
    monkeypatch.setattr(score_costs, "REPEATS", 1)
    before = sorted(workspace().rglob("*"))
    rows = score_costs.score_costs(llama)
    assert [row["name"] for row in rows] == list(scores())
    assert all(row["passes"] > 0 and row["seconds"] > 0 for row in rows)
    assert {row["prompts"] for row in rows if row["name"] == "Change"} == {8}
    assert {row["prompts"] for row in rows if row["name"] != "Change"} == {16}
    assert sorted(workspace().rglob("*")) == before
