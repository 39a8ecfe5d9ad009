"""GGUF files open as the model they hold, converted once."""

import pytest
import torch

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.catalogue import model_card, open_model, weights_folder
from safeneuron.models.fit import weights_memory
from safeneuron.models.parameters import architecture_of
from tests.tiny_gguf import write_gguf


def same_weights(one, other):
    states = [loaded.model.state_dict() for loaded in (one, other)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_file_opens_as_the_model_it_holds(file, llama, home):
    told, card = [], model_card(str(file))
    assert (card.n_layers, card.d_mlp, card.title, card.ready) == (3, 40, "tiny", False)
    assert "converted" in card.cost
    known = weights_memory(card), architecture_of(card)
    loaded = open_model(str(file), lambda step, share: told.append(step))
    same_weights(loaded, llama)
    assert loaded.tokenizer.chat_template == llama.tokenizer.chat_template
    assert "Reading the GGUF file (once)" in told
    card = model_card(str(file))
    assert card.ready and card.fingerprint == loaded.fingerprint and weights_memory(card) == loaded.bytes
    assert known == (loaded.bytes, architecture_of(card))
    assert not list(home.rglob("*.part"))


def test_it_is_converted_once_and_again_when_it_changed(file, llama, monkeypatch):
    from safeneuron.models.sources import gguf as source

    read, calls = source.read_gguf, []
    monkeypatch.setattr(source, "read_gguf", lambda *given: calls.append(1) or read(*given))
    first = open_model(str(file))
    open_model(str(file))
    copy = file.with_name("copy.gguf")
    copy.write_bytes(file.read_bytes())
    assert open_model(str(copy)).fingerprint == first.fingerprint
    assert len(calls) == 1
    data = bytearray(file.read_bytes())
    data[-4] ^= 1
    file.write_bytes(data)
    assert open_model(str(file)).fingerprint != first.fingerprint
    assert len(calls) == 2


def test_a_damaged_conversion_is_made_again(file, llama):
    folder = weights_folder(open_model(str(file)).card)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    card = model_card(str(file))
    assert not card.ready and "damaged (model.safetensors has changed)" in card.cost
    same_weights(open_model(str(file)), llama)


def test_what_lies_beside_the_file_is_not_taken_up(file, llama):
    (file.parent / "config.json").write_text('{"model_type": "gpt2"}')
    (file.parent / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    same_weights(open_model(str(file)), llama)


def test_pieces_open_from_the_first(llama, home, tmp_path):
    write_gguf(llama, tmp_path / "tiny.gguf", split_max_tensors=9)
    first = tmp_path / "tiny-00001-of-00004.gguf"
    assert first.is_file() and len(list(tmp_path.glob("*.gguf"))) == 4
    same_weights(open_model(str(first)), llama)
    second = tmp_path / "tiny-00002-of-00004.gguf"
    with pytest.raises(UserError, match="one piece of a model; give the first, tiny-00001-of-00004.gguf"):
        model_card(str(second))
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(first.read_bytes())
    with pytest.raises(UserError, match="one of 4 pieces whose names no longer say so"):
        model_card(str(renamed))
    second.write_bytes(second.read_bytes()[:-8])
    with pytest.raises(UserError, match="00002-of-00004.gguf is damaged, cut short"):
        model_card(str(first))
    second.unlink()
    with pytest.raises(UserError, match="tiny-00002-of-00004.gguf is not beside .*fetch all 4 pieces"):
        model_card(str(first))


def test_a_missing_weight_is_not_filled_with_random_numbers(make_tiny, home, tmp_path):
    loaded, path = make_tiny("llama"), tmp_path / "less.gguf"
    del loaded.model.model.layers[2].mlp.up_proj
    write_gguf(loaded, path)
    with pytest.raises(UserError, match="layers.2.mlp.up_proj.weight is missing"):
        open_model(str(path))
    assert not list((home / "models").iterdir())


@pytest.mark.parametrize("interruption", [Cancelled, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["Reading the GGUF file (once)", "Saving as safetensors"])
def test_an_interrupted_conversion_leaves_nothing(file, home, interruption, at):
    def stop(step, share):
        if step == at:
            raise interruption

    with pytest.raises(interruption):
        open_model(str(file), stop)
    assert not list((home / "models").iterdir())
    assert not model_card(str(file)).ready


def test_a_card_needs_no_torch(file):
    import subprocess
    import sys

    code = (
        f"import sys; from safeneuron.models.catalogue import model_card; assert model_card({str(file)!r}).n_layers; "
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_folder_is_found_by_the_bytes(file):
    assert weights_folder(model_card(str(file))).name == f"gguf-{model_card(str(file)).fingerprint}"
