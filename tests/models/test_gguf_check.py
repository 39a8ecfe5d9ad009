"""A GGUF file that was cut, or whose head does not fit its weights, is refused before it is opened."""

import struct

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.gguf_header import read_header
from tests.tiny_gguf import write_gguf

UNSIGNED = 4
"""The type of a key whose value is a number of 32 bits."""


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
    assert not (home / "models").exists()


def say(file, key, value):
    """Let the head of a file say another number under a key."""
    data, name = bytearray(file.read_bytes()), f"llama.{key}".encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
    assert struct.unpack_from("<I", data, at) == (UNSIGNED,)
    data[at + 4 : at + 8] = struct.pack("<I", value)
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("block_count", 2, "it says 2 layers, and its weights have 3"),
        ("block_count", 4, "it says 4 layers, and its weights have 3"),
        ("block_count", 0, "does not say its llama.block_count"),
        ("embedding_length", 64, "and its weights have 32 × "),
        ("feed_forward_length", 48, r"32 × 48 for blk.0.ffn_gate.weight \(neurons\), and its weights have 32 × 40"),
        ("feed_forward_length", 0, "does not say its llama.feed_forward_length"),
        ("attention.head_count", 2, r"blk.0.attn_k.weight \(key heads × their length\), and its weights have 32 × 16"),
        ("attention.head_count", 3, "it says 3 heads, and its weights have 2 keys for them"),
        ("attention.head_count", 0, "does not say its llama.attention.head_count"),
        ("attention.head_count_kv", 1, "for blk.0.attn_k.weight"),
        ("attention.head_count_kv", 0, "it says 4 heads, and its weights have 0 keys"),
        ("vocab_size", 300, "it says 32 × 300 for token_embd.weight, and its weights have 32 × 259"),
    ],
)
def test_a_number_in_the_head_that_the_weights_contradict_is_refused(file, key, value, message):
    assert model_card(str(file)).shape == (3, 40)
    say(file, key, value)
    with pytest.raises(UserError, match=message):
        model_card(str(file))


def test_a_mixture_of_experts_under_a_familys_name_is_refused(llama, home, tmp_path, monkeypatch):
    import gguf

    plain = gguf.GGUFWriter.add_block_count
    monkeypatch.setattr(
        gguf.GGUFWriter, "add_block_count", lambda writer, count: (plain(writer, count), writer.add_expert_count(8))
    )
    write_gguf(llama, tmp_path / "mixtral.gguf")
    with pytest.raises(UserError, match="it is a mixture of experts"):
        model_card(str(tmp_path / "mixtral.gguf"))
