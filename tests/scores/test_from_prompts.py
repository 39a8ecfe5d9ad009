"""From prompts to scores in one pass: the same as from all activations at once, read one prompt at a time."""

import numpy as np
import pytest
import torch

from safeneuron.models.chat import prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.probe import probe_weights
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.within_layer import rising_z
from safeneuron.scoring import classes_of, compute_scores
from safeneuron.significance import permutation_p_values, q_values


def last_token_activations(loaded, prompts):
    """What goes into every down-projection at the last token of each prompt alone, ``[n, n_layers, d_mlp]``."""
    rows = []
    for prompt in prompts:
        seen = []
        handles = [
            block.down.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0][0, -1]))
            for block in mlp_blocks(loaded.model)
        ]
        with torch.no_grad():
            loaded.model(torch.tensor([prompt_ids(loaded, prompt)]))
        for handle in handles:
            handle.remove()
        rows.append(torch.stack(seen).double().numpy())
    return np.array(rows)


@pytest.fixture
def requests(tiny, prompts, home):
    classes = classes_of(PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:]))
    options = {"Probe": {"regularisation": 0.1}, "Projection": {"measure": "written"}}
    return [
        ScoreRequest(name, tiny.fingerprint, classes, options=options.get(name, {}))
        for name in ("ES", "Probe", "Significance", "Projection")
    ]


def test_scores_of_one_pass_are_those_of_all_activations_at_once(tiny, prompts, requests, make_record):
    found = {result.name: result.values for result in compute_scores(requests, lambda: tiny)}
    parts = [sorted(prompts[:3]), sorted(prompts[3:])]
    records = [make_record(last_token_activations(tiny, part), part) for part in parts]
    expected = rising_z(probe_weights(*records, 0.1))
    np.testing.assert_allclose(found["Probe"], expected, atol=1e-3)
    np.testing.assert_allclose(10.0 ** -found["Significance"], q_values(permutation_p_values(*records)), rtol=1e-9)
    assert expected.max() > 1 and found["Significance"].max() > 0


def test_scores_of_the_same_prompts_share_a_pass(tiny, requests):
    forwards = []
    handle = tiny.model.base_model.register_forward_pre_hook(lambda *_: forwards.append(1))
    compute_scores(requests, lambda: tiny)
    handle.remove()
    assert len(forwards) == 2
    # All is kept, so that no model is opened.
    assert [result.name for result in compute_scores(requests, None)] == [request.name for request in requests]
