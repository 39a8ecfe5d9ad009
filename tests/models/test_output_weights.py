"""A neuron's output weight is what the layer writes when that neuron alone changes, in every layout."""

import pytest
import torch

from safeneuron.models.layout import mlp_blocks
from safeneuron.models.output_weights import answers_to_single_neurons, output_weights
from tests.models.test_families import CASES

PLAIN = [name for name in CASES if not name.startswith(("Gemma", "OLMo", "Granite"))]


@pytest.fixture(scope="module")
def tiny_of(make_tiny):
    return lambda name: make_tiny(CASES[name][0], **CASES[name][1])


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_what_the_down_projection_adds_for_one_neuron(tiny_of, name):
    loaded = tiny_of(name)
    down = mlp_blocks(loaded.model)[1].down
    values = torch.randn(loaded.shape[1])
    more = values.clone()
    more[7] += 2.0
    with torch.inference_mode():
        written = (down(more[None]) - down(values[None]))[0] / 2.0
    found = output_weights(loaded, 1)
    assert found.shape == (loaded.shape[1], loaded.model.config.get_text_config().hidden_size)
    torch.testing.assert_close(found[7], written, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Gemma 2", "Gemma 3", "Gemma 3 with vision", "OLMo 2"])
def test_a_norm_behind_the_projection_multiplies_by_its_gain(tiny_of, name):
    """The norm divides by a scale, so the direction is right and the length is in units of that scale."""
    loaded = tiny_of(name)
    layer = loaded.model.get_submodule(
        "model.language_model.layers.1" if name == "Gemma 3 with vision" else "model.layers.1"
    )
    norm = layer.post_feedforward_layernorm
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-0.5, 1.5, len(norm.weight)))
        column = layer.mlp.down_proj.weight[:, 7]
        direction = norm(column[None])[0] * column.pow(2).mean().sqrt()
    torch.testing.assert_close(output_weights(loaded, 1)[7], direction, rtol=1e-3, atol=1e-4)


def test_granite_writes_a_share(tiny_of):
    loaded = tiny_of("Granite")
    column = loaded.model.model.layers[1].mlp.down_proj.weight[:, 7].detach()
    torch.testing.assert_close(output_weights(loaded, 1)[7], 0.5 * column)


@pytest.mark.parametrize("name", ["Llama with biases", "GPT-2", "Phi-3"])
def test_packed_weights_are_read_from_what_the_module_answers(tiny_of, name):
    loaded = tiny_of(name)
    block = mlp_blocks(loaded.model)[2]
    with torch.inference_mode():
        found = answers_to_single_neurons(block.down, block.d_mlp, torch.float32)
    torch.testing.assert_close(found, output_weights(loaded, 2), rtol=1e-4, atol=1e-5)
