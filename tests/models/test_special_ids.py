"""The ids of special tokens are compared wherever both the tokenizer and a config say them."""

import json

import pytest

from safeneuron.models.special_ids import differing_ids


@pytest.fixture
def differing(llama, tmp_path):
    def differing(config, generation="{}"):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
        (tmp_path / "generation_config.json").write_text(generation)
        return differing_ids(llama.tokenizer, tmp_path)

    return differing


def test_the_same_ids_and_ids_that_nobody_says_do_not_differ(differing):
    assert differing({"bos_token_id": 1, "eos_token_id": 2}) == []
    assert differing({"pad_token_id": 7, "eos_token_id": None}) == []


def test_one_of_several_is_enough(differing):
    assert differing({"eos_token_id": [5, 2]}) == []
    assert differing({"eos_token_id": 5}, '{"eos_token_id": [7, 2]}') == []
    assert differing({"eos_token_id": 5, "text_config": {"eos_token_id": 2}}) == []


@pytest.mark.parametrize("generation", ["{}", "{", "[5]", '{"eos_token_id": 9}'])
def test_what_differs_is_said(differing, generation):
    found = differing({"bos_token_id": 1, "eos_token_id": 5}, generation)
    numbers = "5 or 9" if "9" in generation else "5"
    assert found == [f"the EOS token </s> has the id 2, and the config says {numbers}"]
