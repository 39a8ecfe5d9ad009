"""Times are those of the same model where it was timed, and else reckoned from another by its size, and say so."""

import json

import pytest

from safeneuron import costs, pace
from safeneuron.models.card import CARD
from safeneuron.models.catalogue import model_card
from safeneuron.models.parameters import architecture
from safeneuron.runs import store
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings
from safeneuron.training.start import KIND, PHASES

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
        return model_card(str(folder))

    return make


def clock(monkeypatch, seconds):
    now = iter((0.0, seconds))
    monkeypatch.setattr(pace.time, "monotonic", lambda: next(now))


def test_before_anything_was_timed_it_is_a_rough_guess_by_size(card):
    assert pace.of_answers(60, card("same")) == "about 60 s, a rough guess for 2 cores"
    # Sixteen times the width is 256 times the layers' parameters, and 16 times the unembedding's.
    large = card("large", hidden_size=9216, intermediate_size=24576)
    factor = pace._parameters(large) / pace.ROUGHLY_PARAMETERS
    assert factor == pytest.approx(205, rel=0.05)
    assert pace.of_answers(60, large) == f"about {round(factor / 60)} h, a rough guess for 2 cores"


def test_a_timed_model_keeps_its_own_pace_and_others_are_reckoned_from_it(card, monkeypatch):
    timed, twice = card("timed"), card("twice", num_hidden_layers=60, vocab_size=2 * 49152)
    clock(monkeypatch, 120.0)
    with pace.measured("answer", 10, timed):
        pass
    assert pace.of_answers(5, timed) == "about 60 s, as measured here"
    assert pace.of_answers(5, twice) == "about 2 min, reckoned from timed, measured here"
    assert "rough guess" in pace.of_answers(5, timed, bulk=True)


def test_of_several_timed_models_the_nearest_in_size_counts(card, monkeypatch):
    for name, layers, seconds in (("small", 30, 10.0), ("large", 300, 300.0)):
        clock(monkeypatch, seconds)
        with pace.measured("scoring", 1, card(name, num_hidden_layers=layers)):
            pass
    assert "reckoned from small" in pace.of_scoring(card("little", num_hidden_layers=40))
    assert "reckoned from large" in pace.of_scoring(card("much", num_hidden_layers=250))


def test_a_pace_of_another_precision_is_not_taken(card, monkeypatch):
    timed = card("timed")
    clock(monkeypatch, 120.0)
    with pace.measured("answer", 10, timed):
        pass
    monkeypatch.setenv("SAFENEURON_LOAD", "bfloat16")
    assert "rough guess" in pace.of_answers(5, timed)


def test_interrupted_work_is_not_a_pace(card):
    timed = card("timed")
    with pytest.raises(KeyboardInterrupt), pace.measured("answer", 10, timed):
        raise KeyboardInterrupt
    assert "rough guess" in pace.of_answers(5, timed)


def test_a_run_is_reckoned_from_the_last_one_of_another_model(card, monkeypatch):
    timed, twice = card("timed"), card("twice", num_hidden_layers=60, vocab_size=2 * 49152)
    settings = TrainingSettings(dpo=MaskedDPOSettings(max_steps=10))
    run = store.create_run("a run", KIND, {}, PHASES)
    store.put_json(run.id, "settings", settings.to_json() | {"source": timed.source, "set": "FULL"})
    store.finish(run.id)
    monkeypatch.setattr(
        store,
        "events",
        lambda _: [
            type("Event", (), {"text": text, "time": time})() for text, time in (("Training", 0.0), ("Saving", 600.0))
        ],
    )
    assert pace.of_training(settings, timed) == (
        "about 10 min",
        "about 10 min in all (from the last run on this machine)",
    )
    training, whole = pace.of_training(settings, twice)
    assert training == "about 20 min" and "reckoned from the last run here, of timed" in whole


def test_the_table_of_costs_has_every_kind_of_work(card):
    rows = costs.cost_rows(card("same"))
    assert [row["work"] for row in rows] == ["Loading", "Scoring", "Generating", "Training"]
    assert rows[0]["bytes"] >= 4 * architecture(SIZES).parameters
    shown = costs.cost_table(rows)
    assert shown[1]["work"] == "Scoring, 16 at a time" and "100 answers" in shown[2]["time"]
    assert costs.cost_rows(card("again"), is_open=True)[0]["time"] == "is open"
