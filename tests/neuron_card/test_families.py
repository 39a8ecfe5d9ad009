"""A neuron's weights, its ablation and its tokens, in every family that models may be of."""

import pytest

from safeneuron.neuron_card.card import examine
from safeneuron.neuron_card.tokens import token_activations
from safeneuron.prompts import builtin
from safeneuron.refusal.panel import Panel
from tests.models.test_families import CASES

NEURON = (1, 7)


@pytest.mark.parametrize("name", CASES)
def test_a_neuron_can_be_examined(make_tiny, count_hooks, home, prompts, name):
    family, settings = CASES[name]
    loaded = make_tiny(family, **settings)
    harmful, benign = builtin.panel()
    found = examine(loaded, Panel(loaded, harmful.prompts + benign.prompts), NEURON, None)
    assert len(found.weight.vector) == loaded.model.config.get_text_config().hidden_size
    assert found.weight.promoted[0][1] > 0 > found.weight.suppressed[0][1]
    assert found.effect.perplexity_ratio > 0 and found.effect.harmful.value != 0
    rows = token_activations(loaded, NEURON, prompts)
    for prompt, row in zip(prompts, rows, strict=True):
        (alone,) = token_activations(loaded, NEURON, [prompt])
        assert row.tokens == alone.tokens
        assert row.activations == pytest.approx(alone.activations, rel=1e-3, abs=1e-4)
    assert count_hooks(loaded) == 0, "a hook was left on the model"
