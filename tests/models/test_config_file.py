"""A config is judged by itself, before transformers reads it: its parts, its counts and its epsilons."""

import json

import pytest

from safeneuron.errors import UserError
from safeneuron.models.config_file import check_config, read_config


@pytest.fixture
def write(tmp_path):
    def write(config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("gpt2", {"n_head": -1}, "config.json says -1 for n_head, which is at least 1; fetch the model again"),
        ("gpt2", {"n_embd": -1}, "says -1 for n_embd"),
        ("opt", {"word_embed_proj_dim": -1}, "says -1 for word_embed_proj_dim"),
        ("mistral", {"sliding_window": 0}, "says 0 for sliding_window"),
        ("qwen2", {"sliding_window": -1}, "says -1 for sliding_window"),
        ("gemma3", {"text_config": {"hidden_size": -1}}, "says -1 for hidden_size"),
        ("falcon", {"layer_norm_epsilon": -1e-5}, "says -1e-05 for layer_norm_epsilon, which is at least 0"),
        ("llama", {"rms_norm_eps": float("nan")}, "says nan for rms_norm_eps"),
    ],
)
def test_a_number_below_what_it_counts_is_refused(write, family, values, message):
    with pytest.raises(UserError, match=message):
        check_config(write({"model_type": family} | values))


def test_a_window_that_is_not_used_may_say_anything(write):
    folder = write({"model_type": "qwen2", "sliding_window": -1, "use_sliding_window": False, "head_dim": None})
    assert check_config(folder).model_types == ("qwen2",)


@pytest.mark.parametrize("part", ["text_config", "quantization_config"])
@pytest.mark.parametrize("value", ["x", -1, [], 0, ""])
def test_a_part_that_is_no_config_is_refused(write, part, value):
    with pytest.raises(UserError, match=f"for {part}, which holds fields; fetch the model again"):
        read_config(write({"model_type": "llama", part: value}))
    assert read_config(write({"model_type": "llama", part: None}))[part] is None
