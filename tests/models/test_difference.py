"""Which neurons' weights differ, measured against weights that were changed on purpose."""

import json
from dataclasses import replace

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models import difference
from safeneuron.models.catalogue import model_card
from safeneuron.models.difference import kept_difference, weight_difference, weights_bytes
from safeneuron.models.folder import save_folder
from safeneuron.models.layout import mlp_blocks
from safeneuron.neurons import NeuronSet


@pytest.fixture
def two_cards(tiny, spare, tmp_path, home):
    """A tiny model, and a copy with one gate row, one down column and one norm changed."""
    with torch.no_grad():
        blocks = mlp_blocks(spare.model)
        blocks[0].gate.weight[7] += 0.5
        blocks[2].down.weight[3, 11] -= 0.25
        spare.model.model.norm.weight += 1.0
    for name, loaded in (("one", tiny), ("two", spare)):
        save_folder(loaded.model, loaded.tokenizer, tmp_path / name, {"title": name, "origin": "Made by the tests."})
    return model_card(str(tmp_path / "one")), model_card(str(tmp_path / "two"))


def test_exactly_the_changed_neurons_are_found(two_cards):
    found = weight_difference(*two_cards)
    assert {tuple(map(int, cell)) for cell in zip(*found.changed.nonzero(), strict=True)} == {(0, 7), (2, 11)}
    assert (found.count, found.others_changed) == (2, 1)
    assert found.largest == pytest.approx(0.5)
    neurons = NeuronSet("x", two_cards[0].fingerprint, found.changed.shape, frozenset({(0, 7), (1, 1)}))
    assert found.count_in(neurons) == 1


def test_a_model_does_not_differ_from_itself(two_cards):
    found = weight_difference(two_cards[0], two_cards[0])
    assert (found.count, found.largest, found.others_changed) == (0, 0.0, 0)


def test_a_damaged_one_is_measured_again(two_cards, home):
    found = weight_difference(*two_cards)
    (path,) = (home / "differences").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert kept_difference(*two_cards) is None
    assert weight_difference(*two_cards).count == found.count


def test_it_is_measured_once_whichever_is_named_first(two_cards, monkeypatch):
    assert kept_difference(*two_cards) is None
    found = weight_difference(*two_cards)
    monkeypatch.setattr(difference, "_compared", lambda *_: pytest.fail("measured again"))
    for cards in (two_cards, two_cards[::-1]):
        again = weight_difference(*cards)
        assert (again.changed == found.changed).all()
        assert (again.largest, again.others_changed, again.others) == (
            found.largest,
            found.others_changed,
            found.others,
        )


def test_models_that_cannot_be_compared_are_refused(two_cards):
    one, two = two_cards
    with pytest.raises(UserError, match="different shapes"):
        weight_difference(one, replace(two, d_mlp=41, fingerprint="wider"))
    with pytest.raises(UserError, match="not prepared"):
        weight_difference(one, replace(two, ready=False, fingerprint="absent"))


def test_the_size_on_disk(two_cards):
    assert weights_bytes(two_cards[0]) > 1000
    assert weights_bytes(model_card("smollm2-135m-instruct")) == 0


def test_neurons_are_found_by_the_names_that_files_use(tmp_path):
    """The first GPT-2's files leave out what leads to the layers, Gemma 3's name the parts in another order."""

    def found(model_type, *names):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        tensors = difference._neuron_tensors(tmp_path, names, d_mlp=40)
        return {name: [(layer, part.axis, part.offset) for layer, part in parts] for name, parts in tensors.items()}

    assert found(
        "gpt2", "h.11.mlp.c_fc.weight", "transformer.h.0.mlp.c_fc.bias", "h.0.mlp.c_proj.bias", "wte.weight"
    ) == {
        "h.11.mlp.c_fc.weight": [(11, 1, 0)],
        "transformer.h.0.mlp.c_fc.bias": [(0, 0, 0)],
    }
    tower = "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"
    text = "language_model.model.layers.2.mlp.down_proj.weight"
    assert found("gemma3", tower, text) == {text: [(2, 1, 0)]}
    fused = "model.layers.1.mlp.gate_up_proj.weight"
    assert found("phi3", fused) == {fused: [(1, 0, 0), (1, 0, 40)]}
