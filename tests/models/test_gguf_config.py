"""A GGUF file opens as the model it was written from, of every architecture that opens, or is refused."""

import math

import gguf
import numpy as np
import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.gguf_check import check_gguf
from safeneuron.models.gguf_config import OPENED
from tests.tiny_gguf import write_gguf

FAMILIES = {
    "llama": ("llama", {}),
    "llama with longer heads": ("llama", {"head_dim": 16}),
    "llama, as Mistral's files say": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
    "qwen3": ("qwen3", {}),
    "gemma2": ("gemma2", {"sliding_window": 4, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma3": ("gemma3_text", {"sliding_window": 4, "num_hidden_layers": 7}),
    "gemma3 without a window": ("gemma3_text", {"layer_types": ["full_attention"] * 3}),
    "phi3": ("phi3", {"sliding_window": 4}),
    "phi3 with partly rotary heads": ("phi3", {"partial_rotary_factor": 0.5, "tie_word_embeddings": True}),
    "gpt2": ("gpt2", {}),
    "falcon": ("falcon", {}),
}


def same_logits(one, other):
    ids = torch.arange(3, 67)[None]
    with torch.no_grad():
        logits = [loaded.model(input_ids=ids).logits for loaded in (one, other)]
    assert torch.equal(*logits)


@pytest.mark.parametrize("case", FAMILIES)
def test_every_architecture_opens_as_the_model_it_was_written_from(make_tiny, home, tmp_path, case):
    family, settings = FAMILIES[case]
    tiny, path = make_tiny(family, **settings), tmp_path / "tiny.gguf"
    write_gguf(tiny, path)
    same_logits(open_model(str(path)), tiny)


def test_each_architecture_is_among_those_tried():
    assert set(OPENED) <= set(FAMILIES)


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def llama3_factors(head_dim, rope=LLAMA3):
    """Return what llama.cpp's converter writes as rope_freqs.weight, computed as it does."""
    factors, before = [], rope["original_max_position_embeddings"]
    for number in range(0, head_dim, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (number / head_dim)
        if wavelength < before / rope["high_freq_factor"]:
            factors.append(1.0)
        elif wavelength > before / rope["low_freq_factor"]:
            factors.append(rope["factor"])
        else:
            spread = rope["high_freq_factor"] - rope["low_freq_factor"]
            smooth = (before / wavelength - rope["low_freq_factor"]) / spread
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_the_scaled_frequencies_of_llama_3_are_kept(make_tiny, home, tmp_path, factor):
    rope, path = LLAMA3 | {"factor": factor}, tmp_path / "tiny.gguf"
    tiny = make_tiny("llama", rope_parameters=rope)
    factors = llama3_factors(8, rope)
    # Each of the three kinds is among them, or the test would show nothing.
    assert factors[0] == 1 and 1 < factors[2] < factor and factors[3] == factor
    write_gguf(tiny, path, tensors={"rope_freqs.weight": factors})
    same_logits(open_model(str(path)), tiny)


SCALED = {
    "linear": (
        "llama",
        {"rope_type": "linear", "rope_theta": 1e4, "factor": 8.0},
        {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0},
    ),
    "a factor alone": (
        "qwen2",
        {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0},
        {"rope.scaling.factor": 2.0},
    ),
    "yarn": (
        "qwen2",
        {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64},
        {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64},
    ),
    "Gemma 3 from 4B on": (
        "gemma3_text",
        {
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
        },
        {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0},
    ),
}


@pytest.mark.parametrize("case", SCALED)
def test_scaled_positions_are_kept(make_tiny, home, tmp_path, case):
    family, rope, keys = SCALED[case]
    settings = {"num_hidden_layers": 7} if family == "gemma3_text" else {}
    tiny, path = make_tiny(family, rope_parameters=rope, **settings), tmp_path / "tiny.gguf"
    write_gguf(tiny, path, keys=keys)
    same_logits(open_model(str(path)), tiny)


@pytest.mark.parametrize(("family", "large"), [("gemma2", 46), ("gemma3_text", 62)])
def test_the_27b_gemmas_scale_attention_in_their_own_way(make_tiny, home, tmp_path, family, large):
    """No key says so: llama.cpp knows them by their layers."""
    for layers, scale in [(3, 16), (large, 4)]:
        path = tmp_path / f"{layers}.gguf"
        tiny = make_tiny(family, num_hidden_layers=layers, head_dim=16, num_attention_heads=8, hidden_size=32)
        write_gguf(tiny, path)
        assert check_gguf(path).config["query_pre_attn_scalar"] == scale


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rope.scaling.type": "longrope", "rope.scaling.factor": 4.0}, "says rope.scaling.type = longrope, which"),
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, "yarn, and no original_context_length"),
        ({"rope.scaling.yarn_log_multiplier": 0.1}, "says rope.scaling.yarn_log_multiplier = 0.1"),
        ({"rope.scaling.attn_factor": 1.5}, "says rope.scaling.attn_factor = 1.5"),
        ({"rope.freq_base_swa": 1e4}, "says rope.freq_base_swa = 10000.0"),
        ({"logit_scale": 2.0}, "says logit_scale = 2.0"),
        ({"attention.sliding_window": 8}, "says attention.sliding_window = 8"),
    ],
)
def test_a_key_that_cannot_be_passed_on_is_refused_before_anything_is_converted(
    make_tiny, home, tmp_path, keys, message
):
    path = tmp_path / "tiny.gguf"
    write_gguf(make_tiny("llama"), path, keys=keys)
    with pytest.raises(UserError, match=f"{message}.*give the folder with its safetensors"):
        model_card(str(path))


def test_a_partly_rotary_llama_and_a_list_of_sizes_are_refused(make_tiny, home, tmp_path, monkeypatch):
    path = tmp_path / "tiny.gguf"
    with monkeypatch.context() as patch:
        whole = gguf.GGUFWriter.add_rope_dimension_count
        patch.setattr(gguf.GGUFWriter, "add_rope_dimension_count", lambda writer, count: whole(writer, count // 2))
        write_gguf(make_tiny("llama"), path)
    with pytest.raises(UserError, match="says rope.dimension_count = 4"):
        model_card(str(path))
    monkeypatch.setattr(gguf.GGUFWriter, "add_context_length", lambda writer, _: writer.add_array("llama.rope", [1, 2]))
    write_gguf(make_tiny("llama"), path)
    with pytest.raises(UserError, match="says rope = a list"):
        model_card(str(path))


def test_a_file_has_to_say_the_epsilon_of_its_norms(make_tiny, home, tmp_path, monkeypatch):
    other = gguf.GGUFWriter.add_layer_norm_eps
    for written in (lambda writer, value: None, other):
        monkeypatch.setattr(gguf.GGUFWriter, "add_layer_norm_rms_eps", written)
        write_gguf(make_tiny("llama"), tmp_path / "tiny.gguf")
        with pytest.raises(UserError, match="layer_norm_(rms_epsilon; fetch|epsilon = .* safetensors)"):
            model_card(str(tmp_path / "tiny.gguf"))


def test_keys_that_change_nothing_are_taken(make_tiny, home, tmp_path):
    path, tiny = tmp_path / "tiny.gguf", make_tiny("llama")
    none = {"rope.scaling.type": "none", "rope.scaling.factor": 4.0, "rope.scaling.attn_factor": 1.0}
    write_gguf(tiny, path, keys=none | {"expert_count": 0, "tensor_data_layout": "Meta AI original pth"})
    same_logits(open_model(str(path)), tiny)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("blk.0.attn_q.bias", 32, "holds blk.0.attn_q.bias, which has no place in a 'llama' model"),
        ("foo.weight", 4, "holds foo.weight, which has no place"),
        ("rope_freqs.weight", 4, "scales its rotary embedding .* in another way than Llama 3.1"),
        ("rope_freqs.weight", 3, "scales its rotary embedding"),
    ],
)
def test_a_tensor_that_would_be_dropped_is_refused(make_tiny, home, tmp_path, monkeypatch, name, shape, message):
    import transformers

    path = tmp_path / "tiny.gguf"
    write_gguf(make_tiny("llama"), path, tensors={name: np.arange(1, shape + 1, dtype=np.float32)})
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(UserError, match=f"{message}.*give the folder with its safetensors"):
        open_model(str(path))
    assert not list((home / "models").iterdir())


@pytest.mark.parametrize("arch", ["olmo2", "smollm3", "granite", "opt", "gptneox", "foo"])
def test_an_architecture_that_is_not_read_from_gguf_is_refused_at_once(make_tiny, home, tmp_path, arch):
    path = tmp_path / "tiny.gguf"
    write_gguf(make_tiny("llama"), path, arch=arch)
    with pytest.raises(
        UserError, match=f"architecture {arch!r}.* give the folder with its safetensors, or .*: llama, qwen2"
    ):
        model_card(str(path))
