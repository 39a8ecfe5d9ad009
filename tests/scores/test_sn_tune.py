"""SN-Tune: neurons that are among their layer's most important on every harmful prompt."""

import numpy as np
import pytest

from safeneuron.importance import output_norms
from safeneuron.models.chat import prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.prompts.classes import prompt_classes
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.sn_tune import top_shares
from safeneuron.scoring import compute_scores


class Norms:
    """A record of given norms ``[n_layers, n_prompts, d_mlp]``."""

    def __init__(self, values):
        self._values = np.asarray(values, dtype=np.float32)

    def layer(self, layer):
        return self._values[layer]


def test_the_share_of_prompts_on_which_a_neuron_is_in_the_top():
    norms = Norms([[[4, 3, 2, 1], [4, 1, 2, 3], [0, 1, 2, 4]]])
    third = 100 / 3
    np.testing.assert_allclose(top_shares(norms, np.ones((1, 4)), 50), [[2 * third, third, third, 2 * third]])
    # The fourth writes so little that it never counts, and at least one always does.
    np.testing.assert_allclose(top_shares(norms, np.array([[1, 1, 1, 0.1]]), 1), [[2 * third, 0, third, 0]])


def test_silent_neurons_are_never_in_the_top():
    np.testing.assert_allclose(top_shares(Norms([[[5, 0, 0, 0]]]), np.ones((1, 4)), 75), [[100, 0, 0, 0]])


@pytest.fixture
def classes(prompts):
    return prompt_classes(PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:]))


def by_hand(loaded, prompts, kept):
    """Return, prompt by prompt, which neurons are in the top, ``[n, n_layers, d_mlp]``."""
    import torch

    found, lengths = [], output_norms(loaded)
    for prompt in prompts:
        seen = []
        handles = [
            block.down.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][0].norm(dim=0).numpy()))
            for block in mlp_blocks(loaded.model)
        ]
        with torch.inference_mode():
            loaded.model(input_ids=torch.tensor([prompt_ids(loaded, prompt)]))
        for handle in handles:
            handle.remove()
        ranks = (-np.stack(seen) * lengths).argsort(axis=1).argsort(axis=1)
        found.append(ranks < kept)
    return np.stack(found)


@pytest.mark.parametrize("foundation_share", [100.0, 50.0])
def test_the_score_of_a_model_is_the_intersection(tiny, classes, home, foundation_share):
    harmful, benign = (by_hand(tiny, found.prompts, 8) for found in (classes.harmful, classes.benign))
    foundation = 100 * benign.mean(axis=0) >= foundation_share
    options = {"top_share": 20.0, "foundation_share": foundation_share}
    sn = ScoreRequest("SN-Tune", tiny.fingerprint, classes, options=options | {"variant": "SN-Tune"})
    rsn = ScoreRequest("SN-Tune", tiny.fingerprint, classes, options=options)
    without, found = compute_scores([sn, rsn], lambda: tiny)
    np.testing.assert_allclose(without.values, 100 * harmful.mean(axis=0))
    np.testing.assert_allclose(found.values, np.where(foundation, 0, 100 * harmful.mean(axis=0)))
    assert (foundation & harmful.all(axis=0)).any()
    np.testing.assert_array_equal(without.select().mask(), harmful.all(axis=0))
    np.testing.assert_array_equal(found.select().mask(), harmful.all(axis=0) & ~foundation)
