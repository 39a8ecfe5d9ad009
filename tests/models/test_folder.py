"""Folders open without a hub; damaged, incomplete or foreign ones are refused in one sentence."""

import json
from pathlib import Path

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models import chat_format
from safeneuron.models.card import CARD, read_card
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.folder import require_all_weights, save_folder
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


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def garble(folder):
    (folder / "model.safetensors").write_bytes(b"\x00" * 500)


def empty(folder):
    (folder / "model.safetensors").write_bytes(b"")


def pickle_only(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def change_config(**values):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    change.__name__ = f"config with {values}"
    return change


def change_a_weight(folder):
    """Change one bit, which leaves size and header as they were."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def drop(name):
    def remove(folder):
        (folder / name).unlink()

    remove.__name__ = f"no {name}"
    return remove


def malformed_config(folder):
    (folder / "config.json").write_text("{ not json")


def no_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


def shard(folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")


def lose_a_shard(folder):
    shard(folder)
    sorted(folder.glob("model-*.safetensors"))[1].unlink()


def garble_index(folder):
    shard(folder)
    path = folder / "model.safetensors.index.json"
    path.write_bytes(path.read_bytes()[:-40])


def lead_out(folder):
    shard(folder)
    path = folder / "model.safetensors.index.json"
    path.write_text(path.read_text().replace("model-00001", "../model-00001"))


def longer_tokenizer(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<one more>"])
    tokenizer.save_pretrained(folder)


def template_beyond(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<turn>"], special_tokens=True)
    tokenizer.chat_template = "<turn>" + tokenizer.chat_template
    tokenizer.save_pretrained(folder)


def not_a_number(folder):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = float("nan")
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "model.safetensors is damaged or cut short"),
        (garble, "model.safetensors is damaged or cut short"),
        (empty, "model.safetensors is damaged or cut short"),
        (pickle_only, "pickle weights are not opened"),
        (lose_a_shard, "is incomplete: model-0000.*cannot be found"),
        (garble_index, "index.json is damaged"),
        (lead_out, "index.json is damaged"),
        (change_config(vocab_size=1000), "vocabulary of 1,000, its weights hold 259"),
        (longer_tokenizer, "tokenizer in .* ids up to 259, the embedding has 259 rows"),
        (template_beyond, "chat template makes the id 259, the embedding has 259 rows"),
        (not_a_number, "hold no finite numbers .*layers.1.mlp.up_proj"),
        (drop("config.json"), "has no config.json"),
        (malformed_config, "config.json is not a model's config"),
        (change_config(hidden_size=48), "cannot be opened as a model"),
        (change_config(num_hidden_layers=4), "do not fit its config.json .*layers.3"),
        (no_tokenizer, "cannot be opened as a model .*tokenizer"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_folder_that_cannot_be_opened_says_why(model_folder, damage, message):
    damage(model_folder)
    with pytest.raises(UserError, match=message) as failure:
        open_model(str(model_folder))
    assert "tiny-llama" in str(failure.value)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("no_such_family", "does not know where the MLP neurons of a 'no_such_family' model are.*add a file"),
        ("mixtral", "'mixtral' model cannot be opened: it is a mixture of experts"),
    ],
)
def test_a_family_without_a_layout_is_refused_before_its_weights_are_read(model_folder, family, message):
    change_config(model_type=family)(model_folder)
    (model_folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=message):
        open_model(str(model_folder))


def test_no_code_in_a_folder_is_run(model_folder, tmp_path):
    trace = tmp_path / "ran"
    (model_folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Evil: pass\n")
    change_config(auto_map={"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"})(model_folder)
    assert type(open_model(str(model_folder)).model).__module__.startswith("transformers.")
    change_config(model_type="evil")(model_folder)
    with pytest.raises(UserError, match="asks for code of its own .auto_map., and safeneuron runs none"):
        open_model(str(model_folder))
    assert not trace.exists()


def test_a_card_is_believed_only_for_the_files_it_was_written_for(llama, home, tmp_path):
    folder = tmp_path / "saved"
    save_folder(llama.model, llama.tokenizer, folder, {"title": "Mine", "origin": "A test."})
    before = model_card(str(folder))
    change_a_weight(folder)
    after = open_model(str(folder)).card
    assert (before.title, after.title) == ("Mine", "saved")
    assert after.fingerprint != before.fingerprint
    (folder / "model.safetensors").unlink()
    assert (folder / CARD).is_file()
    with pytest.raises(UserError, match="no model.safetensors"):
        model_card(str(folder))


def test_weights_that_the_config_has_no_place_for_are_refused(home, model_folder):
    """Else a model with fewer layers would open, and every self-check be green."""
    change_config(num_hidden_layers=2)(model_folder)
    with pytest.raises(UserError, match=r"do not fit its config.json \(model.layers.2.* has no place in it\)"):
        open_model(str(model_folder))


def test_masks_and_frequencies_of_older_files_are_no_weights():
    old = ["gpt_neox.layers.0.attention.bias", "h.0.attn.masked_bias", "model.layers.0.self_attn.rotary_emb.inv_freq"]
    require_all_weights({"missing_keys": set(), "unexpected_keys": old}, Path("there"))
    with pytest.raises(UserError, match="q_proj.bias has no place"):
        require_all_weights({"missing_keys": set(), "unexpected_keys": [*old, "layers.0.q_proj.bias"]}, Path("there"))


def test_the_tokenizer_of_a_model_with_a_smaller_vocabulary_is_refused(home, model_folder):
    path = model_folder / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = {text: number for text, number in vocabulary.items() if number < len(vocabulary) // 2}
    content["added_tokens"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not fit its weights: it has ids up to .* only"):
        open_model(str(model_folder))
