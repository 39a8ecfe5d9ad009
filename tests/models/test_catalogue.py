"""One string names a model; a wrong one is answered with those there are."""

import json
import subprocess
import sys

import pytest

from safeneuron.errors import UserError
from safeneuron.models.card import CARD
from safeneuron.models.catalogue import DEFAULT_MODEL, ancestors, catalogue, model_card, open_model
from safeneuron.models.sources.embedded import SOURCE


def test_the_embedded_models_are_listed_the_default_first(home):
    cards = catalogue()
    assert [card.source for card in cards][:2] == [DEFAULT_MODEL, SOURCE.base]
    assert not any(card.ready for card in cards)
    assert cards[0].parent == cards[1].source
    assert cards[0].fingerprint != cards[1].fingerprint
    assert cards[0].n_neurons == 30 * 1536


@pytest.mark.parametrize("name", ["gpt5", "", "smollm2", "no/such/folder", "/no/such/folder"])
def test_an_unknown_model_is_answered_with_those_there_are(home, name):
    for ask in (model_card, open_model):
        with pytest.raises(UserError, match=f"no model {name!r}.*{DEFAULT_MODEL}, {SOURCE.base}.*folder"):
            ask(name)


@pytest.mark.parametrize("name", ["run:", "run:0123456789", "run:../models"])
def test_an_unknown_run_is_answered_with_where_to_look(home, name):
    with pytest.raises(UserError, match="no finished run .* runs"):
        model_card(name)


def test_cards_need_no_torch(home):
    code = (
        "import sys; from safeneuron.models.catalogue import catalogue; assert len(catalogue()) >= 2; "
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def run_card(home, number, parent):
    folder = home / "models" / f"{number:032x}"
    folder.mkdir(parents=True)
    facts = {
        "title": f"run {number}",
        "fingerprint": f"weights {number}",
        "n_layers": 30,
        "d_mlp": 1536,
        "origin": "A run.",
    }
    (folder / CARD).write_text(json.dumps(facts | {"parent": parent}))
    return model_card(f"run:{folder.name}")


def test_the_line_of_ancestors(home):
    safe, base = catalogue()
    first = run_card(home, 1, DEFAULT_MODEL)
    second = run_card(home, 2, first.source)
    assert list(ancestors(second)) == [first.fingerprint, safe.fingerprint, base.fingerprint]
    assert list(ancestors(base)) == []


def test_the_line_of_ancestors_ends_where_a_parent_is_gone_or_comes_again(home):
    assert list(ancestors(run_card(home, 1, "run:" + "f" * 32))) == []
    own = "run:" + f"{2:032x}"
    assert list(ancestors(run_card(home, 2, own))) == []


@pytest.mark.default_model
def test_the_default_model_is_ready_once_prepared(default_model, session_home):
    card = model_card(DEFAULT_MODEL)
    assert card.ready
    assert card.fingerprint == default_model.fingerprint
    assert default_model.shape == (card.n_layers, card.d_mlp) == (30, 1536)
    assert {tensor.dtype for tensor in default_model.model.parameters()} == {default_model.model.dtype}
    assert str(default_model.model.dtype) == "torch.float32"
    # Of this model: other tests may be at work in the same workspace.
    assert not list((session_home / "models").glob(f".{DEFAULT_MODEL}*.part"))
