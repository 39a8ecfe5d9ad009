"""What a config says of a model's size is what the real class has, in every family; files say it exactly."""

import copy
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.folder import save_folder
from safeneuron.models.parameters import architecture, architecture_of, parameters_in_files


def sizes(hidden, inner, layers, heads, kv, vocabulary, tied, **more):
    names = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size".split()
    given = dict(zip(names, (hidden, inner, layers, heads, kv, vocabulary), strict=True))
    return given | {"tie_word_embeddings": tied} | more


CONFIGS = {
    "SmolLM2-135M": ("llama", sizes(576, 1536, 30, 9, 3, 49152, True)),
    "Llama-3.2-1B": ("llama", sizes(2048, 8192, 16, 32, 8, 128256, True, head_dim=64)),
    "Mistral-7B": ("mistral", sizes(4096, 14336, 32, 32, 8, 32768, False)),
    "Qwen2.5-1.5B": ("qwen2", sizes(1536, 8960, 28, 12, 2, 151936, True)),
    "Qwen3-0.6B": ("qwen3", sizes(1024, 3072, 28, 16, 8, 151936, True, head_dim=128)),
    "Gemma-2-2b": ("gemma2", sizes(2304, 9216, 26, 8, 4, 256000, True, head_dim=256)),
    "Gemma-3-270m": ("gemma3_text", sizes(640, 2048, 18, 4, 1, 262144, True, head_dim=256)),
    "Phi-3-mini": ("phi3", sizes(3072, 8192, 32, 32, 32, 32064, False)),
    "OLMo-2-1B": ("olmo2", sizes(2048, 8192, 16, 16, 16, 100352, False)),
    "SmolLM3-3B": ("smollm3", sizes(2048, 11008, 36, 16, 4, 128256, True)),
    "Granite-3-2b": ("granite", sizes(2048, 8192, 40, 32, 8, 49155, True)),
    "gpt2": ("gpt2", {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}),
    "pythia-410m": ("gpt_neox", sizes(1024, 4096, 24, 16, 16, 50304, False)),
    "opt-350m": (
        "opt",
        {
            "hidden_size": 1024,
            "ffn_dim": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "vocab_size": 50272,
            "max_position_embeddings": 2048,
            "word_embed_proj_dim": 512,
            "do_layer_norm_before": False,
        },
    ),
    "falcon-7b": (
        "falcon",
        {
            "hidden_size": 4544,
            "num_hidden_layers": 32,
            "num_attention_heads": 71,
            "vocab_size": 65024,
            "multi_query": True,
            "parallel_attn": True,
            "new_decoder_architecture": False,
            "bias": False,
        },
    ),
    "falcon-40b": (
        "falcon",
        {
            "hidden_size": 8192,
            "num_hidden_layers": 60,
            "num_attention_heads": 128,
            "num_kv_heads": 8,
            "vocab_size": 65024,
            "new_decoder_architecture": True,
            "bias": False,
        },
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_count_from_the_config_is_that_of_the_real_class_within_one_percent(name):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    family, values = CONFIGS[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **values))
    real = sum(parameter.numel() for parameter in model.parameters())
    assert architecture({"model_type": family} | values).parameters == pytest.approx(real, rel=0.01)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_that_leaves_out_its_defaults_says_the_same(name):
    """``tie_word_embeddings`` and the heads of keys stand in some files and not in others."""
    from transformers import AutoConfig

    family, values = CONFIGS[name]
    left_out = {key: value for key, value in values.items() if key != "tie_word_embeddings"}
    whole = AutoConfig.for_model(family, **left_out).to_dict()
    assert architecture({"model_type": family} | left_out).tied == whole["tie_word_embeddings"]
    assert architecture(whole) == architecture({"model_type": family} | left_out)


def test_the_text_part_of_a_model_that_also_sees_is_counted():
    family, values = CONFIGS["Gemma-3-270m"]
    nested = {"model_type": "gemma3", "text_config": {"model_type": family} | values}
    assert architecture(nested) == architecture({"model_type": family} | values)


def test_a_config_without_sizes_is_refused():
    with pytest.raises(UserError, match="does not say hidden_size or n_embd"):
        architecture({"model_type": "llama"})


def written(loaded, folder, **how):
    save_folder(loaded.model, loaded.tokenizer, folder, {"title": "tiny", "origin": "Made by the tests."})
    if how:
        (folder / "model.safetensors").unlink()
        loaded.model.save_pretrained(folder, **how)
    return str(folder)


def in_memory(source):
    return open_model(source).bytes // 4


def test_files_say_it_exactly(tiny, home, tmp_path):
    source = written(tiny, tmp_path / "one")
    assert parameters_in_files(model_card(source)) == in_memory(source) == tiny.bytes // 4
    assert architecture_of(model_card(source)).n_layers == 3


@pytest.mark.parametrize("tied", [True, False])
def test_tied_embeddings_count_once(make_tiny, home, tmp_path, tied):
    source = written(make_tiny("llama", tie_word_embeddings=tied), tmp_path / "one")
    assert parameters_in_files(model_card(source)) == in_memory(source)


def test_half_precision_files_hold_as_many(llama, home, tmp_path):
    source = written(replace(llama, model=copy.deepcopy(llama.model).half()), tmp_path / "half")
    assert parameters_in_files(model_card(source)) == in_memory(source)


def test_shards_are_added_and_a_second_format_is_not(llama, home, tmp_path):
    source = written(llama, tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    first = next((tmp_path / "shards").glob("model-*.safetensors"))
    (tmp_path / "shards" / "consolidated.safetensors").write_bytes(first.read_bytes())
    assert parameters_in_files(model_card(source)) == in_memory(source)


def test_weights_that_are_not_there_have_no_size(llama, home, tmp_path):
    source = written(llama, tmp_path / "one")
    card = model_card(source)
    (tmp_path / "one" / "model.safetensors").write_bytes(b"\x00")
    with pytest.raises(UserError, match="damaged or cut short"):
        parameters_in_files(card)
    (tmp_path / "one" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no model.safetensors"):
        parameters_in_files(card)
    assert parameters_in_files(model_card("smollm2-135m-instruct")) is None
    assert architecture_of(model_card("smollm2-135m-instruct")) is None
