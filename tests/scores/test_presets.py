"""Thresholds that belong to a model: the paper's for its family, the embedded model's for what came of it."""

from dataclasses import replace

import pytest

from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.scores import presets


@pytest.fixture
def card():
    return model_card(DEFAULT_MODEL)


def test_the_embedded_model_and_what_was_trained_from_it(card):
    assert presets.thresholds_of(card) == {"ES": 2.0, "SAS": 6.0}
    run = replace(card, source="run:1", fingerprint="run", parent=DEFAULT_MODEL)
    assert presets.preset_of(run)[0] is presets.EMBEDDED


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        ("llama", {"ES": 2.0, "SAS": 2.0}, "family llama"),
        ("qwen2", {"ES": 3.0, "SAS": 2.0}, "family qwen2"),
        ("gemma2", {"ES": 2.0, "SAS": 2.0}, "gives no thresholds for the family gemma2"),
        (None, {"ES": 2.0, "SAS": 2.0}, "not known yet"),
    ],
)
def test_other_families_take_the_papers(card, monkeypatch, kind, expected, words):
    monkeypatch.setattr(presets, "model_type_of", lambda card: kind)
    other = replace(card, source="somewhere", fingerprint="other", parent=None)
    preset, why = presets.preset_of(other)
    assert preset.thresholds == expected
    assert words in why


def test_the_family_is_read_from_the_config(make_tiny, tmp_path, home):
    tiny = make_tiny("qwen2")
    tiny.model.save_pretrained(tmp_path / "m")
    tiny.tokenizer.save_pretrained(tmp_path / "m")
    assert presets.thresholds_of(model_card(str(tmp_path / "m"))) == {"ES": 3.0, "SAS": 2.0}
