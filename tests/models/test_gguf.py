"""GGUF files open as the model they hold; one that was cut or changed is refused before it is opened."""

import struct

import gguf
import numpy as np
import pytest
import torch

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.catalogue import model_card, open_model, weights_folder
from safeneuron.models.fit import weights_memory
from safeneuron.models.gguf_header import read_header

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name.replace("model.layers", "blk")


def permuted(weights, heads):
    """Reorder the rows of a query or key projection as llama.cpp stores them."""
    half = weights.shape[0] // heads // 2
    return weights.reshape(heads, 2, half, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def write_gguf(loaded, path, arch="llama", **split):
    """Write a tiny Llama as llama.cpp's converter would, in 32 bits."""
    config, writer = loaded.model.config, gguf.GGUFWriter(path, arch, **split)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(loaded.tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer.add_tokenizer_model("gpt2")
    # A file has to hold some merge, and what it makes has to be a token: it takes the last one's place.
    writer.add_token_list([text for text, _ in vocabulary[:-1]] + ["ab"])
    writer.add_token_types([3 if number < 3 else 1 for _, number in vocabulary])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template(loaded.tokenizer.chat_template)
    for name, tensor in loaded.model.state_dict().items():
        values = tensor.numpy().astype(np.float32)
        if "q_proj" in name:
            values = permuted(values, config.num_attention_heads)
        if "k_proj" in name:
            values = permuted(values, config.num_key_value_heads)
        writer.add_tensor(gguf_name(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def written(make_tiny, tmp_path_factory):
    """The tiny Llama as a GGUF file; tests copy it before they damage it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(make_tiny("llama"), path)
    return path


@pytest.fixture
def file(written, tmp_path, home):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(written.read_bytes())
    return path


def same_weights(one, other):
    states = [loaded.model.state_dict() for loaded in (one, other)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_file_opens_as_the_model_it_holds(file, llama, home):
    told, card = [], model_card(str(file))
    assert (card.n_layers, card.d_mlp, card.title, card.ready) == (3, 40, "tiny", False)
    assert "converted" in card.cost and weights_memory(card) is None
    loaded = open_model(str(file), lambda step, share: told.append(step))
    same_weights(loaded, llama)
    assert loaded.tokenizer.chat_template == llama.tokenizer.chat_template
    assert "Reading the GGUF file (once)" in told
    card = model_card(str(file))
    assert card.ready and card.fingerprint == loaded.fingerprint and weights_memory(card) == loaded.bytes
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


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.05, 0.1, 0.3, 0.6, 0.9, 0.99999])
def test_a_file_that_was_cut_is_refused(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="is damaged, cut short or no GGUF file .*fetch it again"):
        model_card(str(file))


def test_a_changed_head_is_refused_or_read_as_what_it_now_says(file):
    """No flipped bit leads to anything but a sentence or a header whose tensors fill the file exactly."""
    data, whole, refused = file.read_bytes(), read_header(file), 0
    places = range(0, whole.data_start, 7)
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 4
        changed = file.with_name(f"{place}.gguf")
        changed.write_bytes(flipped)
        try:
            found = read_header(changed)
        except UserError:
            refused += 1
        else:
            assert [tensor.offset for tensor in found.tensors] == [tensor.offset for tensor in whole.tensors]
        changed.unlink()
    assert refused > len(places) / 10


@pytest.mark.parametrize("number", [0, 1, 4, 2**31])
def test_other_versions_are_refused(file, number):
    data = bytearray(file.read_bytes())
    data[4:8] = struct.pack("<I", number)
    file.write_bytes(data)
    with pytest.raises(UserError, match=f"version {number}"):
        model_card(str(file))


def test_another_architecture_is_refused_before_it_is_converted(llama, home, tmp_path, monkeypatch):
    import transformers

    path = tmp_path / "other.gguf"
    write_gguf(llama, path, arch="mamba")
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(UserError, match="'mamba'"):
        open_model(str(path))
    assert not list((home / "models").iterdir())


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
