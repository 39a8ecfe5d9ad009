"""Neurons are found where the family keeps them, and unknown families are refused by name."""

from types import SimpleNamespace

import pytest

from safeneuron.errors import UserError
from safeneuron.models.layout import decoder_layers, layout_of, mlp_blocks


def test_blocks_are_the_projections_of_each_layer(tiny):
    layers, width = tiny.shape
    blocks = mlp_blocks(tiny.model)
    assert len(blocks) == len(decoder_layers(tiny.model)) == layers
    for number, block in enumerate(blocks):
        mlp = tiny.model.model.layers[number].mlp
        assert (block.gate, block.up, block.down) == (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        assert block.gate.weight.shape == block.up.weight.shape == block.down.weight.T.shape == (width, 32)


def test_the_final_norm_exists(tiny):
    assert tiny.model.get_submodule(layout_of(tiny.model).final_norm) is tiny.model.model.norm


def test_an_unknown_family_is_refused_with_the_known_ones():
    model = SimpleNamespace(config=SimpleNamespace(model_type="mamba"))
    with pytest.raises(UserError, match="'mamba'.*llama, mistral, qwen2"):
        layout_of(model)
