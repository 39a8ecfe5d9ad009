"""What the folder of a trained model says of itself, and that anybody's transformers opens it."""

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from safeneuron.models.card import ModelCard as Card
from safeneuron.models.folder import save_folder
from safeneuron.models.sources.runs import model_folder
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pair_files import save_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs import store
from safeneuron.training.model_card import write_model_card
from safeneuron.training.rounds import PHASES
from safeneuron.training.start import KIND, LEFT_OUT, PAIRS_FILE, PAIRS_FROM, TRAINED_ON

FULL = NeuronSet("FULL", "x", (3, 40), frozenset({(0, 1), (2, 3)}), {"ES": 2.0})
PAIRS = [
    PreferencePair(f"p{number}", "no", "yes", kind) for number, kind in enumerate(("harmful", "harmful", "benign"))
]
ROW = {"condition": "FULL", "neurons": 2, "n": 4, "refusal_rate": 0.75, "interval": [0.3, 0.95], "judge": "arditi"}
ROW |= {"benign_n": 2, "benign_refusal_rate": 0.0, "benign_interval": [0.0, 0.66], "draws": 1}


@pytest.fixture
def run(home, llama):
    """A run that has saved its model and has not been evaluated."""
    parameters = {"model": "/somebody/tiny", "beta": 0.1, "learning_rate": 1e-5, "epochs": None}
    run = store.create_run("tiny, FULL frozen", KIND, parameters, PHASES).id
    store.put_json(run, "neurons", FULL.to_json())
    store.put_json(run, "frozen", {"slices": 6, "max_abs_diff": 0.0, "identical": True})
    store.put_json(run, LEFT_OUT, {"duplicates": 1})
    save_pairs(store.artifacts_folder(run) / PAIRS_FILE, PAIRS)
    save_folder(llama.model, llama.tokenizer, model_folder(run), {"title": "x", "origin": "x", "parent": "x"})
    return run


@pytest.fixture
def parent(tmp_path):
    """A parent whose own card knows its license and data."""
    folder = tmp_path / "parent"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\nbase_model: org/tiny\ndatasets:\n- org/data\n---\n# tiny\n")
    return Card(str(folder), "tiny", "x", 3, 40, "x", True)


@pytest.fixture
def card_of(run, parent, monkeypatch):
    monkeypatch.setattr("safeneuron.training.model_card.weights_folder", lambda card: parent.source and _path(parent))

    def write(of=parent, measured=True):
        write_model_card(run, of, FULL, measured)
        return ModelCard.load(model_folder(run) / "README.md")

    return write


def _path(card):
    from pathlib import Path

    return Path(card.source)


def test_one_that_was_not_evaluated_says_so(run, card_of):
    card = card_of()
    assert (card.data.license, card.data.base_model, card.data.datasets) == ("mit", "org/tiny", ["org/data"])
    assert card.data.library_name == "transformers" and "safety" in card.data.tags
    assert "Not evaluated yet" in card.text and f"runs resume {run[:8]}" in card.text
    assert "no neuron is ablated" in card.text
    assert "2 neurons of the set FULL" in card.text and "ES: 2.0" in card.text
    assert "- 1 benign prompts" in card.text and "- 2 harmful prompts" in card.text
    assert "Built from safeneuron's own prompts." in card.text and "Left out: 1 duplicates." in card.text
    assert "| learning_rate | 1e-05 |" in card.text
    assert "/somebody" not in card.text and "epochs" not in card.text


def test_pairs_that_are_too_long_are_not_counted_as_trained_on(run, card_of):
    store.put_json(run, TRAINED_ON, {"harmful": 2})
    text = card_of(measured=False).text
    assert "2 harmful" in text and "benign prompt" not in text


def test_the_measured_tables_stand_in_it(run, card_of):
    store.put_json(run, PAIRS_FROM, ["mine.jsonl"])
    store.put_json(run, "static", {"model": "x", "rows": [ROW]})
    text = card_of().text
    assert "From `mine.jsonl`." in text
    assert "### After training, static: the same sets" in text
    assert "| FULL | 2 | 75.0% [30.0%, 95.0%], n = 4 | 0.0% [0.0%, 66.0%], n = 2 | arditi |" in text
    assert "Not measured: Before training" in text and "Not evaluated yet" not in text
    # In a further round the tables are the last one's until this one's model is evaluated.
    text = card_of(measured=False).text
    assert "Not evaluated yet" in text and "75.0%" not in text


def test_the_embedded_model_is_named_with_its_license(card_of):
    data = card_of(Card("smollm2-135m-safe", "SmolLM2 safe", "x", 3, 40, "x", True)).data
    assert (data.base_model, data.license) == ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")


def test_what_the_parent_does_not_say_is_not_made_up(card_of, parent):
    (_path(parent) / "README.md").unlink()
    data = card_of().data
    assert (data.base_model, data.license, data.datasets) == (None, None, None)


def test_anybodys_transformers_opens_the_folder(run, card_of, llama):
    card_of()
    folder = model_folder(run)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("Hi").input_ids])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, llama.model(ids).logits)
    assert not [name for name in model.state_dict() if "hook" in name]
