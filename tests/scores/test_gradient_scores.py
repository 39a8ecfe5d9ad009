"""SNIP, Wanda and attribution patching of a model, asked for as pages and commands ask."""

from dataclasses import replace

import numpy as np
import pytest

from safeneuron.activations import collect
from safeneuron.attribution import refusal_attribution
from safeneuron.calibration import safety_examples, utility_examples
from safeneuron.errors import Cancelled, UserError
from safeneuron.importance import snip_importance, wanda_importance
from safeneuron.prompts.classes import prompt_classes
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.set_difference import set_difference
from safeneuron.scoring import compute_scores


@pytest.fixture
def classes(prompts):
    return prompt_classes(PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:]))


@pytest.mark.parametrize(("name", "importance"), [("SNIP", snip_importance), ("Wanda", wanda_importance)])
def test_set_difference_scores_are_ranks_of_the_importances(tiny, classes, home, name, importance):
    request = ScoreRequest(name, tiny.fingerprint, classes, options={"prompts": 2, "utility_share": 20.0})
    heard = []
    (found,) = compute_scores([request], lambda: tiny, progress=lambda step, fraction: heard.append(step))
    safety = importance(tiny, safety_examples(tiny, classes, 2))
    utility = importance(tiny, utility_examples(tiny, classes, 2))
    np.testing.assert_array_equal(found.values, set_difference(safety, utility, 20.0))
    # 7 of 40 have more than 80 % of the layer below them, and the least important neuron has none.
    assert ((found.values == 0).sum(axis=1) >= 7).all() and found.values.max() > 90
    assert {f"{name} on harmful prompts", f"{name} on benign prompts"} <= set(heard)


@pytest.mark.parametrize("positions", ["last", "all"])
def test_attribution_patches_to_the_benign_mean_at_the_same_positions(llama, classes, home, positions):
    request = ScoreRequest("AtP", llama.fingerprint, classes, "max", {"positions": positions})
    (found,) = compute_scores([request], lambda: llama)
    mean = collect(llama, classes.benign.prompts, "last" if positions == "last" else "mean").mean
    expected = refusal_attribution(llama, classes.harmful.prompts, mean, positions)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert found.values.min() < 0 < found.values.max()


def test_attribution_to_zero(llama, classes, home):
    request = ScoreRequest("AtP", llama.fingerprint, classes, options={"baseline": "zero"})
    (found,) = compute_scores([request], lambda: llama)
    expected = refusal_attribution(llama, classes.harmful.prompts, np.zeros(llama.shape))
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["SNIP", "Wanda", "SN-Tune", "AtP"])
def test_they_are_computed_once_whatever_the_pooling(llama, classes, home, name):
    first = ScoreRequest(name, llama.fingerprint, classes)
    (found,) = compute_scores([first], lambda: llama)
    again = ScoreRequest(name, llama.fingerprint, classes, "mean")
    (kept,) = compute_scores([again], lambda: pytest.fail("the model was opened again"))
    np.testing.assert_array_equal(kept.values, found.values)
    assert again.fingerprint == first.fingerprint and kept.facts["pooling"] is None
    other = replace(first, options={first.score.options[-1].name: "zero" if name == "AtP" else 37.0})
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize("name", ["SNIP", "Wanda", "AtP"])
def test_stopped_scores_leave_no_trace(llama, classes, home, name):
    def stop(step, fraction):
        if step.startswith((name, "Attribution")):
            raise Cancelled("stop")

    request = ScoreRequest(name, llama.fingerprint, classes)
    with pytest.raises(Cancelled):
        compute_scores([request], lambda: llama, progress=stop)
    assert request.kept() is None
    assert all(weight.requires_grad and weight.grad is None for weight in llama.model.parameters())
    assert compute_scores([request], lambda: llama)[0].values.shape == llama.shape


@pytest.mark.parametrize(
    ("name", "options"),
    [("SNIP", {"prompts": 0}), ("Wanda", {"utility_share": 101}), ("AtP", {"positions": "first"})],
)
def test_options_out_of_range_are_refused(llama, classes, name, options):
    with pytest.raises(UserError, match=next(iter(options))):
        ScoreRequest(name, llama.fingerprint, classes, options=options)
