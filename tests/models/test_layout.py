"""Neurons are found where the family keeps them, and architectures without any are refused by name."""

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models.layout import decoder_layers, layout_of_config, mlp_blocks


def test_blocks_are_the_projections_of_each_layer(tiny):
    layers, width = tiny.shape
    blocks = mlp_blocks(tiny.model)
    assert len(blocks) == len(decoder_layers(tiny.model)) == layers
    for number, block in enumerate(blocks):
        mlp = tiny.model.model.layers[number].mlp
        assert (block.gate, block.up, block.down) == (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        assert block.gate.weight.shape == block.up.weight.shape == block.down.weight.T.shape == (width, 32)
        owned = [parameter for parameter, _ in block.parameters]
        assert all(one is other for one, other in zip(owned, mlp.parameters(), strict=True))


def test_a_fused_matrix_holds_the_gate_then_up(make_tiny):
    block = mlp_blocks(make_tiny("phi3").model)[0]
    (gate, first), (up, second), (down, _) = block.parameters
    assert gate is up is block.gate.weight is block.up.weight and down is block.down.weight
    assert (first.offset, second.offset, block.d_mlp, len(gate)) == (0, 40, 40, 80)


def test_transposed_weights_have_their_neurons_on_the_other_axis(make_tiny):
    block = mlp_blocks(make_tiny("gpt2").model)[0]
    assert block.gate is None
    assert [(tensor.name, tensor.axis) for _, tensor in block.parameters] == [
        ("mlp.c_fc.weight", 1),
        ("mlp.c_fc.bias", 0),
        ("mlp.c_proj.weight", 0),
    ]
    assert all(parameter.shape[tensor.axis] == 40 for parameter, tensor in block.parameters)


def test_a_width_that_the_config_leaves_open_is_the_familys(make_tiny):
    assert make_tiny("gpt2", n_inner=None).shape == (3, 4 * 32)
    assert make_tiny("falcon", ffn_hidden_size=None).shape == (3, 4 * 32)


def test_biases_that_a_familys_file_leaves_out_are_refused(make_tiny):
    """Else they would be trained where they should be frozen, and nobody would see them change."""
    model = make_tiny("mistral").model
    model.model.layers[1].mlp.up_proj.bias = torch.nn.Parameter(torch.ones(40))
    with pytest.raises(UserError, match="'mistral' model has biases, and its file .* says that it has none"):
        mlp_blocks(model)
    model = make_tiny("gpt2").model
    model.transformer.h[2].mlp.c_fc.bias = None
    with pytest.raises(UserError, match="'gpt2' model has no biases, and its file .* says that it has them"):
        mlp_blocks(model)


EXPERTS = "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3", "gpt_oss", "olmoe", "phimoe", "granitemoe", "llama4"
RECURRENT = "mamba", "mamba2", "rwkv", "jamba", "falcon_mamba", "recurrent_gemma", "zamba"


@pytest.mark.parametrize("whole", [False, True], ids=["only its type", "whole config"])
@pytest.mark.parametrize(
    ("family", "reason"),
    [(family, "mixture of experts") for family in EXPERTS] + [(family, "recurrent") for family in RECURRENT],
)
def test_architectures_without_dense_neurons_are_refused_by_name(family, reason, whole):
    from transformers import AutoConfig

    config = AutoConfig.for_model(family).to_dict() if whole else {"model_type": family}
    # Jamba is both; the first reason that is found is enough.
    reason = "mixture of experts|recurrent" if family == "jamba" else reason
    with pytest.raises(UserError, match=f"A '{family}' model cannot be opened: .*({reason}).*llama.*opt"):
        layout_of_config(config)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "brand_new", "num_experts": 8}, "mixture of experts"),
        ({"model_type": "brand_new", "text_config": {"n_routed_experts": 64}}, "mixture of experts"),
        ({"model_type": "llama", "num_local_experts": 4}, "mixture of experts"),
        ({"model_type": "brand_new", "ssm_state_size": 16}, "recurrent"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "text encoder"),
    ],
)
def test_a_config_gives_new_ones_away(config, reason):
    with pytest.raises(UserError, match=f"'{config['model_type']}' model cannot be opened: .*{reason}"):
        layout_of_config(config)


def test_no_experts_are_not_experts():
    assert layout_of_config({"model_type": "llama", "num_local_experts": 0, "num_experts": None}).up == "mlp.up_proj"


@pytest.mark.parametrize("family", ["bloom", "starcoder2", "no_such_family"])
def test_an_unknown_dense_architecture_says_how_it_is_added(family):
    with pytest.raises(UserError, match=f"'{family}' model are. Choose.*llama.*add a file to safeneuron"):
        layout_of_config({"model_type": family})
