"""Folders open without a hub, as they are, and are known by their bytes."""

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models import chat_format
from safeneuron.models.card import CARD, read_card
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.folder import save_folder
from safeneuron.models.model_files import folder_fingerprint


def test_anybodys_folder_opens_as_it_is(model_folder, llama):
    loaded = open_model(str(model_folder))
    assert loaded.shape == llama.shape
    assert loaded.model.dtype == torch.float32 and not loaded.model.training
    assert loaded.card.title == "tiny-llama" and loaded.card.ready
    assert loaded.fingerprint == folder_fingerprint(model_folder)
    states = zip(loaded.model.state_dict().items(), llama.model.state_dict().items(), strict=True)
    assert all(one == other and torch.equal(left, right) for (one, left), (other, right) in states)


def test_half_precision_weights_open_in_float32(model_folder, llama):
    import copy

    copy.deepcopy(llama.model).half().save_pretrained(model_folder)
    assert open_model(str(model_folder)).model.dtype == torch.float32


def test_a_folder_without_a_chat_template_opens_with_the_plain_one(model_folder, monkeypatch):
    with_own = model_card(str(model_folder)).fingerprint
    (model_folder / "chat_template.jinja").unlink()
    loaded = open_model(str(model_folder))
    assert loaded.tokenizer.chat_template in chat_format.FALLBACKS
    assert loaded.fingerprint != with_own
    monkeypatch.setattr(chat_format, "FALLBACKS", tuple(f"{text}!" for text in chat_format.FALLBACKS))
    assert model_card(str(model_folder)).fingerprint != loaded.fingerprint, "another plain template, another model"


def test_the_fingerprint_names_weights_and_template(model_folder, llama, tmp_path):
    before = model_card(str(model_folder)).fingerprint
    assert model_card(str(model_folder)).fingerprint == before
    template = model_folder / "chat_template.jinja"
    template.write_text(template.read_text() + "{# another #}")
    other_template = model_card(str(model_folder)).fingerprint
    weights = model_folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert len({before, other_template, model_card(str(model_folder)).fingerprint}) == 3


def test_a_saved_folder_carries_its_card(llama, tmp_path):
    folder = tmp_path / "saved"
    save_folder(llama.model, llama.tokenizer, folder, {"title": "Mine", "origin": "A test."})
    card = read_card(folder, "./saved")
    assert (card.title, card.n_layers, card.d_mlp, card.parent) == ("Mine", 3, 40, None)
    assert card.fingerprint == folder_fingerprint(folder)
    assert model_card(str(folder)).title == "Mine"
    assert open_model(str(folder)).shape == (3, 40)


def test_a_failed_save_leaves_the_earlier_folder(llama, tmp_path, monkeypatch):
    folder = tmp_path / "saved"
    save_folder(llama.model, llama.tokenizer, folder, {"title": "First", "origin": "A test."})
    monkeypatch.setattr(type(llama.tokenizer), "save_pretrained", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_folder(llama.model, llama.tokenizer, folder, {"title": "Second", "origin": "A test."})
    assert read_card(folder, "x").title == "First"
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_card_is_believed_only_for_the_files_it_was_written_for(llama, home, tmp_path):
    folder = tmp_path / "saved"
    save_folder(llama.model, llama.tokenizer, folder, {"title": "Mine", "origin": "A test."})
    before = model_card(str(folder))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1  # which leaves size and header as they were
    (folder / "model.safetensors").write_bytes(data)
    after = open_model(str(folder)).card
    assert (before.title, after.title) == ("Mine", "saved")
    assert after.fingerprint != before.fingerprint
    (folder / "model.safetensors").unlink()
    assert (folder / CARD).is_file()
    with pytest.raises(UserError, match="no model.safetensors"):
        model_card(str(folder))
