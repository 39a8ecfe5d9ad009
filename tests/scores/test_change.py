"""The change score is the root mean square difference over the tokens of an answer, token by token."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from safeneuron.answer_changes import answer_changes
from safeneuron.errors import Cancelled, UserError
from safeneuron.generation import generate
from safeneuron.models.chat import prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.change import drawn
from safeneuron.scores.result import ScoreRequest
from safeneuron.scoring import classes_of, compute_scores

FAMILIES = ("llama", "gpt2", "phi3", "opt")

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(params=FAMILIES)
def pair(request, make_tiny, count_hooks):
    """Two models of a family with different weights; afterwards no hook may be left on either."""
    found = make_tiny(request.param), make_tiny(request.param, seed=1)
    yield found
    assert [count_hooks(loaded) for loaded in found] == [0, 0]


def activations(loaded, ids):
    """What goes into every down-projection on one unpadded text, ``[n_layers, tokens, d_mlp]``."""
    seen = []
    handles = [
        block.down.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].reshape(len(ids), -1)))
        for block in mlp_blocks(loaded.model)
    ]
    with torch.no_grad():
        loaded.model(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return torch.stack(seen).double().numpy()


def by_loops(model, other, prompts, max_new_tokens):
    """The definition, text by text and token by token, with a greedy answer decoded one token at a time."""
    total, count = np.zeros(model.shape), 0
    for prompt in prompts:
        ids = prompt_ids(model, prompt)
        start = len(ids)
        while len(ids) < start + max_new_tokens:
            with torch.no_grad():
                ids = [*ids, int(model.model(torch.tensor([ids])).logits[0, -1].argmax())]
            if ids[-1] == model.tokenizer.eos_token_id:
                break
        one, two = activations(model, ids), activations(other, ids)
        for position in range(start - 1, len(ids) - 1):
            total += (one[:, position] - two[:, position]) ** 2
            count += 1
    return np.sqrt(total / count)


def test_it_is_the_root_mean_square_over_the_answers_tokens(pair, prompts):
    model, other = pair
    found = answer_changes(model, other, prompts, 6)
    np.testing.assert_allclose(found, by_loops(model, other, prompts, 6), rtol=1e-4, atol=1e-6)
    assert found.min() >= 0 and found.max() > 0.01


def test_the_end_of_the_turn_counts_as_a_token(make_tiny, prompts):
    """Made the likeliest token after some words, the end comes at once in some answers, and never in others."""
    model, other = make_tiny("llama"), make_tiny("llama", seed=1)
    with torch.no_grad():
        likely = int(model.model(torch.tensor([prompt_ids(model, prompts[0])])).logits[0, -1].argmax())
        head = model.model.lm_head.weight
        head[model.tokenizer.eos_token_id] = 1.01 * head[likely]
    lengths = [len(answer.token_ids) for answer in generate(model, prompts, 5)]
    assert lengths[0] == 0 and max(lengths) == 5
    found = answer_changes(model, other, prompts, 5)
    np.testing.assert_allclose(found, by_loops(model, other, prompts, 5), rtol=1e-4, atol=1e-6)


def test_one_token_of_one_prompt_is_the_prompts_last_position(pair, prompts):
    model, other = pair
    ids = prompt_ids(model, prompts[0])
    expected = np.abs(activations(model, ids)[:, -1] - activations(other, ids)[:, -1])
    np.testing.assert_allclose(answer_changes(model, other, prompts[:1], 1), expected, rtol=1e-4, atol=1e-6)


def test_a_model_does_not_differ_from_itself(pair, prompts):
    np.testing.assert_array_equal(answer_changes(pair[0], pair[0], prompts, 4), 0.0)


def test_a_changed_neuron_is_found_and_earlier_layers_are_the_same(make_tiny, prompts):
    model, other = make_tiny("llama"), make_tiny("llama")
    with torch.no_grad():
        mlp_blocks(other.model)[1].up.weight[17] *= 2
    found = answer_changes(model, other, prompts, 4)
    np.testing.assert_array_equal(found[0], 0.0)
    assert found[1, 17] > 0 and (np.delete(found[1], 17) == 0).all()
    assert (found[2] > 0).all()


def test_memory_that_runs_out_halves_the_batch_and_counts_nothing_twice(pair, prompts, monkeypatch):
    model, other = pair
    expected = answer_changes(model, other, prompts, 3)
    plain, sizes = type(other.model.base_model).forward, []

    def forward(self, *args, **inputs):
        if self is other.model.base_model:
            sizes.append(len(inputs["input_ids"]))
            if sizes[-1] > 2:
                raise torch.OutOfMemoryError("out of memory")
        return plain(self, *args, **inputs)

    monkeypatch.setattr(type(other.model.base_model), "forward", forward)
    np.testing.assert_allclose(answer_changes(model, other, prompts, 3), expected, rtol=1e-5, atol=1e-7)
    assert 4 in sizes and max(sizes[1:]) <= 2


def test_models_that_cannot_be_compared_are_refused(make_tiny, prompts, tokenizer_folder):
    from transformers import AutoTokenizer

    model = make_tiny("llama")
    with pytest.raises(UserError, match="models of one shape"):
        answer_changes(model, make_tiny("llama", num_hidden_layers=2), prompts, 2)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.add_tokens(["lighthouse"])
    with pytest.raises(UserError, match="different tokens"):
        answer_changes(model, replace(make_tiny("llama"), tokenizer=tokenizer), prompts, 2)


def test_the_prompts_are_the_same_whatever_their_order():
    prompts = tuple(f"prompt {number}" for number in range(50))
    found = drawn(prompts, 8)
    assert found == drawn(prompts[::-1], 8) and len(set(found)) == 8
    assert sorted(drawn(prompts, 99)) == sorted(prompts)


def test_it_is_a_score_of_two_models(make_tiny, prompts, home):
    model, other = make_tiny("llama"), make_tiny("llama", seed=1)
    classes = classes_of(PromptSet("harmful", prompts[:4]), PromptSet("benign", prompts[4:]))
    with pytest.raises(UserError, match="compares two models"):
        ScoreRequest("Change", model.fingerprint, classes)
    request = ScoreRequest(
        "Change", model.fingerprint, classes, options={"prompts": 3, "new_tokens": 5}, other=other.fingerprint
    )
    found = compute_scores([request], lambda: model, lambda: other)[0]
    expected = answer_changes(model, other, drawn(prompts[:4], 3), 5)
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert found.facts["other"] == other.fingerprint
    # Kept, so that neither model is opened again, nor for other benign prompts or another pooling.
    assert compute_scores([request], None, None)[0].select(0.1) == found.select(0.1)
    others = classes_of(classes.harmful, PromptSet("benign", ("a", "b")))
    same = replace(request, classes=others, pooling="max")
    np.testing.assert_array_equal(compute_scores([same], None, None)[0].values, found.values)
    for different in ({"options": {"prompts": 2}}, {"other": "a third"}, {"model": "another"}):
        assert replace(request, **different).kept() is None
    fewer = classes_of(PromptSet("harmful", prompts[:3]), classes.benign)
    assert replace(request, classes=fewer).kept() is None


@pytest.mark.parametrize("step", ["Generating answers", "Comparing both models on the answers"])
def test_a_stopped_one_goes_on_with_its_answers_and_its_sum(make_tiny, prompts, monkeypatch, step):
    model, other = make_tiny("llama"), make_tiny("llama", seed=1)
    classes = classes_of(PromptSet("harmful", prompts), PromptSet("benign", ("a", "b")))
    options = {"prompts": 6, "new_tokens": 5}
    request = ScoreRequest("Change", model.fingerprint, classes, options=options, other=other.fingerprint)
    assert request.answers_missing() == 6
    monkeypatch.setenv("SAFENEURON_BATCH", "4")

    def stop(name, fraction):
        if name == step and fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        compute_scores([request], lambda: model, lambda: other, stop)
    assert request.kept() is None
    while_answering = step.startswith("Generating")
    assert 0 < request.answers_missing() < 6 if while_answering else request.answers_missing() == 0
    assert request.prompts_read() == (0 if while_answering else 4)

    steps = []
    found = compute_scores([request], lambda: model, lambda: other, lambda name, fraction: steps.append(name))
    assert steps.count("Comparing both models on the answers") == (2 if while_answering else 1)
    whole = answer_changes(model, other, drawn(prompts, 6), 5)
    np.testing.assert_allclose(found[0].values, whole, rtol=1e-6, atol=1e-9)
