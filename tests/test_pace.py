"""Times are those of the same model where it was timed, and else reckoned from another by its size, and say so."""

import json
from types import SimpleNamespace

import pytest

from safeneuron import costs, duration, pace
from safeneuron.models.card import CARD
from safeneuron.models.catalogue import model_card
from safeneuron.models.checksums import write_sums
from safeneuron.models.parameters import architecture
from safeneuron.progress import silent
from safeneuron.prompts.answers import KeptAnswer, KeptAnswers
from safeneuron.prompts.classes import calibration_order
from safeneuron.scores.result import ScoreRequest
from safeneuron.scoring import classes_of
from safeneuron.training.cost import RunWork

SIZES = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
"""The default model's."""


@pytest.fixture
def card(home, tmp_path):
    """Return a function that makes a folder with nothing but a config, of the default model's shape or another's."""

    def make(name, **sizes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(SIZES | sizes))
        facts = {"title": name, "fingerprint": name, "n_layers": 1, "d_mlp": 1, "origin": "A test."}
        (folder / CARD).write_text(json.dumps(facts))
        write_sums(folder)
        return model_card(str(folder))

    return make


def clock(monkeypatch, seconds):
    now = iter((0.0, seconds))
    monkeypatch.setattr(pace.time, "monotonic", lambda: next(now))


def test_before_anything_was_timed_it_is_a_rough_guess_by_size(card):
    assert duration.of_answers(60, card("same")) == "about 70 s, a guess: one idle core, from the default model"
    # Sixteen times the width is 256 times the layers' parameters, and 16 times the unembedding's.
    large = card("large", hidden_size=9216, intermediate_size=24576)
    factor = pace._parameters(large) / pace.ROUGHLY_PARAMETERS
    assert factor == pytest.approx(205, rel=0.05)
    assert (
        duration.of_answers(60, large)
        == f"about {round(60 * 1.2 * factor / 3600)} h, a guess: one idle core, from the default model"
    )


def test_a_timed_model_keeps_its_own_pace_and_others_are_reckoned_from_it(card, monkeypatch):
    timed, twice = card("timed"), card("twice", num_hidden_layers=60, vocab_size=2 * 49152)
    clock(monkeypatch, 120.0)
    with pace.measured("answer", 10, timed):
        pass
    assert duration.of_answers(5, timed) == "about 60 s, as measured here"
    assert duration.of_answers(5, twice) == "about 2 min, reckoned from timed, measured here"
    assert "a guess" in duration.of_answers(5, timed, bulk=True)


def test_of_several_timed_models_the_nearest_in_size_counts(card, monkeypatch):
    for name, layers, seconds in (("small", 30, 10.0), ("large", 300, 300.0)):
        clock(monkeypatch, seconds)
        with pace.measured("scoring", 1, card(name, num_hidden_layers=layers)):
            pass
    assert "reckoned from small" in duration.of_scoring(card("little", num_hidden_layers=40))
    assert "reckoned from large" in duration.of_scoring(card("much", num_hidden_layers=250))


def test_a_pace_of_another_precision_is_not_taken(card, monkeypatch):
    timed = card("timed")
    clock(monkeypatch, 120.0)
    with pace.measured("answer", 10, timed):
        pass
    monkeypatch.setenv("SAFENEURON_LOAD", "bfloat16")
    assert "a guess" in duration.of_answers(5, timed)


def test_interrupted_work_is_not_a_pace(card):
    timed = card("timed")
    with pytest.raises(KeyboardInterrupt), pace.measured("answer", 10, timed):
        raise KeyboardInterrupt
    assert "a guess" in duration.of_answers(5, timed)


WORK = RunWork(answers=5, pairs=3, trained_pairs=2, scorings=1)


def test_every_phase_of_a_run_counts(card, monkeypatch):
    timed, twice = card("timed"), card("twice", num_hidden_layers=60, vocab_size=2 * 49152)
    assert "a guess" in duration.of_training(WORK, timed)[1]
    for kind in pace.ROUGHLY:
        clock(monkeypatch, 60.0)
        with pace.measured(kind, 1, timed):
            pass
    assert duration.of_training(WORK, timed) == ("about 2 min", "about 12 min, as measured here")
    assert duration.of_training(WORK, twice) == ("about 4 min", "about 24 min, reckoned from timed, measured here")


def test_a_model_of_the_same_size_has_the_same_pace(card, monkeypatch):
    clock(monkeypatch, 60.0)
    with pace.measured("scoring", 1, card("timed")):
        pass
    assert duration.of_scoring(card("its run")) == "about 60 s, as measured here"


def test_a_step_is_timed_from_its_first_report_to_its_last(card, monkeypatch):
    now, seen = [0.0], []
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    timed = card("timed")
    report = pace.timing(lambda *said: seen.append(said), "Training", "run pair", 4, timed)
    for fraction in (0.0, 0.5, 1.0):
        now[0] += 240.0
        report("Other", fraction)
        report("Training", fraction)
    assert seen == [(name, fraction) for fraction in (0.0, 0.5, 1.0) for name in ("Other", "Training")]
    # 480 s for 4 pairs; and the work has 2.
    assert duration.of_training(WORK, timed)[0] == "about 4 min"
    unfinished = pace.timing(silent, "Reference", "run reference", 4, timed)
    unfinished("Reference", 0.0)
    assert "a guess" in duration.of_training(WORK, timed)[1]


def test_the_table_of_costs_has_every_kind_of_work(card):
    rows = costs.cost_rows(card("same"))
    assert [row["work"] for row in rows] == ["Loading", "Scoring", "Generating", "Training"]
    assert rows[0]["bytes"] >= 4 * architecture(SIZES).parameters
    shown = costs.cost_table(rows)
    assert shown[1]["work"] == "Scoring, 16 at a time" and "100 answers" in shown[2]["time"]
    assert costs.cost_rows(card("again"), is_open=True)[0]["time"] == "is open"


def test_what_opening_a_model_takes_is_reckoned_in_where_it_is_not_open(card, monkeypatch):
    timed = card("timed")
    for kind, seconds in (("scoring", 100.0), ("opening", 200.0), ("self-check", 400.0)):
        clock(monkeypatch, seconds)
        with pace.measured(kind, 1, timed):
            pass
    monkeypatch.setattr(duration, "sys", SimpleNamespace(modules={"torch": ...}))
    assert duration.of_scoring(timed) == "about 2 min, as measured here"
    assert duration.of_scoring(timed, is_open=False) == "about 12 min, as measured here"
    monkeypatch.setattr(duration, "kept_parity", lambda model: "a report")
    assert duration.of_scoring(timed, is_open=False) == "about 5 min, as measured here", "it was checked before"
    clock(monkeypatch, 1800.0)
    with pace.measured_start():
        pass
    monkeypatch.setattr(duration, "sys", SimpleNamespace(modules={}))
    assert duration.of_scoring(timed, is_open=False) == "about 35 min, as measured here", "PyTorch is not started yet"


def test_the_answers_that_a_score_learns_from_are_reckoned_in_until_they_are_kept(card, home, monkeypatch):
    timed, request = card("timed"), ScoreRequest("SNIP", "timed", classes_of(), options={"prompts": 8})
    for kind, seconds in (("scoring", 0.0), ("bulk answer", 150.0)):
        clock(monkeypatch, seconds)
        with pace.measured(kind, 1, timed):
            pass
    assert request.answers_missing() == 8
    assert duration.of_score(request, timed) == "about 20 min, as measured here"
    asked = calibration_order(classes_of().benign.prompts)[:6]
    KeptAnswers("timed", None).keep([KeptAnswer(prompt, "Yes.", True) for prompt in asked])
    assert request.answers_missing() == 2
    assert duration.of_score(request, timed) == "about 5 min, as measured here"


def test_what_several_models_and_rounds_take_is_added_up(monkeypatch, card):
    asked = []
    monkeypatch.setattr(duration, "reckoned", lambda items, card: (asked.append(items), (120.0, "a guess"))[1])
    assert duration.of_analysis([800, 0, 700], card("one")) == "about 2 min, a guess"
    assert duration.of_attack(4, 112, card("another")) == "at most about 2 min, a guess"
    assert asked == [
        {"run reading": 1500, "representation": 3, "run opening": 2},
        {"scoring": 4, "bulk answer": 112},
    ]
