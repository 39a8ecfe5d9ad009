"""The memory that is stated before a model is opened is what it takes once it is."""

import copy
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.folder import save_folder
from safeneuron.models.memory import memory_estimate


def written(loaded, folder, **how):
    save_folder(loaded.model, loaded.tokenizer, folder, {"title": "tiny", "origin": "Made by the tests."})
    if how:
        (folder / "model.safetensors").unlink()
        loaded.model.save_pretrained(folder, **how)
    return str(folder)


def test_it_is_what_the_open_model_takes(tiny, home, tmp_path):
    source = written(tiny, tmp_path / "one")
    assert memory_estimate(model_card(source)) == open_model(source).bytes == tiny.bytes


@pytest.mark.parametrize("tied", [True, False])
def test_tied_embeddings_count_once(make_tiny, home, tmp_path, tied):
    source = written(make_tiny("llama", tie_word_embeddings=tied), tmp_path / "one")
    assert memory_estimate(model_card(source)) == open_model(source).bytes


def test_half_precision_weights_are_opened_in_float32(llama, home, tmp_path):
    half = replace(llama, model=copy.deepcopy(llama.model).half())
    source = written(half, tmp_path / "half")
    assert memory_estimate(model_card(source)) == open_model(source).bytes == 2 * half.bytes


def test_shards_are_added_and_a_second_format_is_not(llama, home, tmp_path):
    source = written(llama, tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    first = next((tmp_path / "shards").glob("model-*.safetensors"))
    (tmp_path / "shards" / "consolidated.safetensors").write_bytes(first.read_bytes())
    assert memory_estimate(model_card(source)) == open_model(source).bytes == llama.bytes


def test_weights_that_are_not_there_have_no_size(llama, home, tmp_path):
    source = written(llama, tmp_path / "one")
    card = model_card(source)
    (tmp_path / "one" / "model.safetensors").write_bytes(b"\x00")
    with pytest.raises(UserError, match="damaged or cut short"):
        memory_estimate(card)
    (tmp_path / "one" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no model.safetensors"):
        memory_estimate(card)
    assert memory_estimate(model_card("smollm2-135m-instruct")) is None
