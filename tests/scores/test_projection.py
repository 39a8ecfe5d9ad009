"""The projection is that of the down-projection's own columns, whatever shape a family keeps them in."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from safeneuron.models.chat import prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.observations.residual import ResidualStatistics
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.projection import SCORE, layer_at, refusal_directions
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import Evidence
from safeneuron.scoring import classes_of, compute_scores
from safeneuron.statistics import ActivationStatistics

DOWN = {
    "llama": "model.layers.{}.mlp.down_proj",
    "phi3": "model.layers.{}.mlp.down_proj",
    "gpt2": "transformer.h.{}.mlp.c_proj",
    "opt": "model.decoder.layers.{}.fc2",
}
"""A gated, a fused, a transposed and a plain MLP."""


@pytest.fixture(params=DOWN)
def loaded(request, make_tiny):
    return make_tiny(request.param)


@pytest.fixture
def observed(loaded):
    """Means of the residual stream and statistics of the activations, by name of the observation."""
    draw = np.random.default_rng(0)
    layers, width = loaded.shape

    def statistics():
        return ActivationStatistics(7, draw.normal(size=(layers, width)), np.ones((layers, width)), "last", "x")

    streams = tuple(ResidualStatistics(7, draw.normal(size=(layers, loaded.model.config.hidden_size))) for _ in "hb")
    return {"residual": streams, "activations": (statistics(), statistics())}


def written_by(loaded, layer, neuron):
    """What a neuron adds to the stream per unit of activation, found by letting the module do it."""
    down = loaded.model.get_submodule(DOWN[loaded.model.config.model_type].format(layer))
    inputs = torch.zeros(2, loaded.shape[1])
    inputs[1, neuron] = 1.0
    with torch.no_grad():
        without, added = down(inputs)
    return (added - without).double().numpy()


def scored(loaded, observed, **options):
    given = {option.name: option.default for option in SCORE.options} | options
    return SCORE.compute(Evidence(observed.__getitem__, model=lambda: loaded), given)


@pytest.mark.parametrize("layer", ["own", "one"])
def test_it_is_that_of_what_the_neuron_writes(loaded, observed, layer):
    found = {name: scored(loaded, observed, layer=layer, measure=name) for name in ("cosine", "projection", "written")}
    harmful, benign = observed["residual"]
    more = observed["activations"][0].mean - observed["activations"][1].mean
    for place, neuron in [(0, 0), (0, 39), (1, 17), (2, 5)]:
        # 60 % of the way from layer 0 to layer 2 is nearest to layer 1.
        read = place if layer == "own" else 1
        difference = harmful.mean[read] - benign.mean[read]
        direction = difference / np.linalg.norm(difference)
        column = written_by(loaded, place, neuron)
        projection = column @ direction
        np.testing.assert_allclose(found["projection"][place, neuron], projection, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found["cosine"][place, neuron], projection / np.linalg.norm(column), rtol=1e-5)
        np.testing.assert_allclose(
            found["written"][place, neuron], projection * more[place, neuron], rtol=1e-5, atol=1e-7
        )
    assert (np.abs(found["cosine"]) <= 1).all() and (found["cosine"] < 0).any() and (found["cosine"] > 0).any()


def test_a_neuron_that_writes_the_direction_itself_has_cosine_one(loaded, observed):
    layer, neuron = 2, 11
    harmful, benign = observed["residual"]
    own = replace(loaded, model=type(loaded.model)(loaded.model.config))
    own.model.load_state_dict(loaded.model.state_dict())
    weight, tensor = mlp_blocks(own.model)[layer].parameters[-1]
    with torch.no_grad():
        direction = torch.from_numpy(harmful.mean[layer] - benign.mean[layer]).float()
        weight.select(tensor.axis, neuron).copy_(3 * direction)
        weight.select(tensor.axis, neuron + 1).zero_()
    found = scored(own, observed, measure="cosine")
    assert found[layer, neuron] == pytest.approx(1.0, abs=1e-6)
    assert found[layer, neuron + 1] == 0.0
    length = float(np.linalg.norm(direction.numpy()))
    assert scored(own, observed, measure="projection")[layer, neuron] == pytest.approx(3 * length, rel=1e-5)


def test_directions_are_unit_and_zero_where_there_is_only_rounding():
    draw = np.random.default_rng(0)
    harmful, benign = draw.normal(size=(2, 3, 16))
    benign[1] = harmful[1] * (1 + 1e-7)
    found = refusal_directions(ResidualStatistics(5, harmful), ResidualStatistics(4, benign))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1])
    assert found[0] @ (harmful[0] - benign[0]) > 0


@pytest.mark.parametrize(("depth", "layer"), [(0, 0), (60, 17), (99, 29), (100, 29)])
def test_depth_names_the_nearest_layer(depth, layer):
    assert layer_at(depth, 30) == layer


def test_it_comes_out_of_a_pass_over_prompts(loaded, prompts, home):
    """From text to score: the direction against means of the hidden states that transformers gives out."""
    classes = classes_of(PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:]))
    request = ScoreRequest("Projection", loaded.fingerprint, classes, options={"measure": "projection", "layer": "own"})
    found = compute_scores([request], lambda: loaded)[0]
    means = []
    with torch.no_grad():
        for part in (classes.harmful, classes.benign):
            rows = [torch.tensor([prompt_ids(loaded, prompt)]) for prompt in part.prompts]
            streams = [loaded.model(row, output_hidden_states=True).hidden_states for row in rows]
            # The last hidden state is behind the final norm, so only the earlier layers'.
            means.append([np.mean([s[layer + 1][0, -1].double().numpy() for s in streams], axis=0) for layer in (0, 1)])
    for layer in (0, 1):
        direction = means[0][layer] - means[1][layer]
        expected = written_by(loaded, layer, 3) @ direction / np.linalg.norm(direction)
        assert found.values[layer, 3] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert len(found.select(0.0)) == (found.values > 0).sum() > 0
