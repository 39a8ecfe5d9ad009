"""Every number of a neuron's card against a direct calculation over all activations at once."""

import json

import numpy as np
import pytest
import torch

from safeneuron.ablation.hooks import ablate
from safeneuron.models.chat import encode, prompt_ids
from safeneuron.models.layout import decoder_layers, mlp_blocks
from safeneuron.models.output_weights import output_weights
from safeneuron.neuron_card.card import activity, card_json, examine
from safeneuron.neuron_card.records import kept_records, prompts_to_read, read_records
from safeneuron.neuron_card.standing import Ranking
from safeneuron.neuron_card.tokens import TokenActivations, common_start, extreme_tokens
from safeneuron.neurons import NeuronSet
from safeneuron.prompts import builtin
from safeneuron.prompts.classes import PromptClasses
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.refusal.panel import Panel
from safeneuron.scoring import kept_score_table
from tests.neuron_card.conftest import NEURON


@torch.inference_mode()
def directly(loaded, prompts):
    """Return what goes into every down-projection and comes out of every layer at the last token, prompt by prompt."""
    activations, streams = [], []
    for prompt in prompts:
        seen, after = [], []
        handles = [
            block.down.register_forward_pre_hook(
                lambda module, inputs: seen.append(inputs[0].reshape(-1, loaded.shape[1])[-1])
            )
            for block in mlp_blocks(loaded.model)
        ]
        handles += [
            layer.register_forward_hook(
                lambda module, inputs, answer: after.append((answer[0] if isinstance(answer, tuple) else answer)[0, -1])
            )
            for layer in decoder_layers(loaded.model)
        ]
        loaded.model(**encode(loaded, [prompt]))
        for handle in handles:
            handle.remove()
        activations.append(torch.stack(seen))
        streams.append(torch.stack(after))
    return torch.stack(activations).double().numpy(), torch.stack(streams).double().numpy()


def test_every_number_of_a_card(card, loaded, few_prompts):
    rows, benign = few_prompts
    records, found, examined = card
    harmful = [row.prompt for row in rows]
    activations, streams = directly(loaded, [*harmful, *benign])
    own = activations[:, *NEURON]
    count = len(harmful)
    shown = found.distributions
    np.testing.assert_allclose(shown.harmful, own[:count], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(shown.benign, own[count:], rtol=1e-4, atol=1e-5)
    squares = sum(((part - part.mean()) ** 2).sum() for part in (own[:count], own[count:]))
    d = (own[:count].mean() - own[count:].mean()) / np.sqrt(squares / (len(own) - 2))
    assert shown.effect_size == pytest.approx(d, rel=1e-3)
    assert shown.low < d < shown.high

    prompts = np.array([*harmful, *benign])
    order = np.argsort(own)
    assert [one.prompt for one in found.extremes.most] == list(prompts[order[::-1][:4]])
    assert [one.prompt for one in found.extremes.least] == list(prompts[order[:4]])
    assert [one.kind for one in found.extremes.most] == [
        "harmful" if row < count else "benign" for row in order[::-1][:4]
    ]

    twins, _ = directly(loaded, [row.twin for row in rows])
    assert [one.category for one in found.categories] == ["cybercrime", "fraud"]
    for part, one in zip((slice(0, 3), slice(3, 6)), found.categories, strict=True):
        assert one.harmful.value == pytest.approx(own[:count][part].mean(), rel=1e-3, abs=1e-5)
        assert one.twin.value == pytest.approx(twins[part, *NEURON].mean(), rel=1e-3, abs=1e-5)
        assert one.harmful.low < one.harmful.value < one.harmful.high and one.harmful.n == one.twin.n == 3

    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(activations.reshape(len(activations), -1).T)[
            np.ravel_multi_index(NEURON, loaded.shape)
        ]
    check_nearest(found.together, correlations.reshape(loaded.shape), [NEURON[0]])
    check_nearest(examined.together, correlations.reshape(loaded.shape), range(loaded.shape[0]))

    weights = torch.stack([output_weights(loaded, layer) for layer in range(loaded.shape[0])]).double().numpy()
    vector = weights[NEURON]
    cosines = weights @ vector / np.linalg.norm(weights, axis=-1) / np.linalg.norm(vector)
    check_nearest(examined.weight.alike.in_layer, cosines, [NEURON[0]])
    check_nearest(examined.weight.alike.anywhere, cosines, range(loaded.shape[0]))
    assert examined.weight.norm == pytest.approx(np.linalg.norm(vector), rel=1e-5)
    direction = streams[:count, NEURON[0]].mean(axis=0) - streams[count:, NEURON[0]].mean(axis=0)
    cosine = vector @ direction / np.linalg.norm(vector) / np.linalg.norm(direction)
    assert examined.weight.refusal_cosine(records, NEURON[0]) == pytest.approx(cosine, rel=1e-3, abs=1e-5)

    json.dumps(card_json(NEURON, records, found, examined))


def check_nearest(neighbours, values, layers):
    values = values.copy()
    values[NEURON] = -np.inf
    among = np.full(values.shape, -np.inf)
    among[list(layers)] = values[list(layers)]
    among[~np.isfinite(among) | (among == 0)] = -np.inf
    places = np.argsort(-among, axis=None)[: len(neighbours)]
    np.testing.assert_allclose([one.nearness for one in neighbours], among.ravel()[places], rtol=1e-3, atol=1e-5)
    assert len(neighbours) == 8
    for one in neighbours:
        assert values[one.layer, one.index] == pytest.approx(one.nearness, rel=1e-3, abs=1e-5)


def test_the_single_ablation(card, loaded):
    _, _, examined = card
    harmful, benign = builtin.panel()
    off = NeuronSet("x", loaded.fingerprint, loaded.shape, frozenset({NEURON}))
    changes = []
    for prompts in (harmful.prompts, benign.prompts):
        whole = refusal_scores(loaded, prompts)
        with ablate(loaded, off):
            changes.append(refusal_scores(loaded, prompts) - whole)
    for found, change in zip((examined.effect.harmful, examined.effect.benign), changes, strict=True):
        assert (found.value, found.n) == (pytest.approx(change.mean(), rel=1e-3, abs=1e-5), 16)
        width = 2.1314 * change.std(ddof=1) / np.sqrt(16)
        assert found.high - found.value == pytest.approx(width, rel=1e-2, abs=1e-5)
    assert examined.effect.perplexity > 1
    assert examined.effect.perplexity_ratio == examined.effect.ablated_perplexity / examined.effect.perplexity != 1


def test_every_token_has_its_activation_and_its_text(card, loaded):
    _, found, examined = card
    for row, pooled in zip(examined.tokens, (*found.extremes.most, *found.extremes.least), strict=True):
        assert row.prompt == pooled.prompt
        ids = prompt_ids(loaded, row.prompt)
        assert "".join(row.tokens) == loaded.tokenizer.decode(ids)
        assert row.special == tuple(one in loaded.tokenizer.all_special_ids for one in ids)
        assert any(row.special) and not all(row.special)
        # The pooling is that of the last token.
        assert row.activations[-1] == pytest.approx(pooled.activation, rel=1e-3, abs=1e-5)
        assert len(set(row.activations)) > 5


def test_the_outermost_tokens_stand_once_at_either_end():
    rows = [
        TokenActivations("x", ("a", "b", "a"), (False,) * 3, (1.0, -2.0, 3.0)),
        TokenActivations("y", ("a", "c"), (False,) * 2, (-1.0, 0.0)),
    ]
    found = extreme_tokens(rows, 2)
    assert found.most == (("a", 3.0), ("c", 0.0)) and found.least == (("b", -2.0), ("a", -1.0))
    assert common_start(rows) == 1 and common_start([]) == 0
    assert extreme_tokens([]).most == ()


@pytest.mark.default_model
def test_the_neuron_with_the_highest_sas_carries_refusals(default_model, home):
    """Of the default model; switched off alone it makes refusals less likely and costs no fluency."""
    neuron = Ranking("SAS", kept_score_table(default_model.fingerprint).values("SAS")).first()
    harmful, benign = builtin.panel()
    panel = Panel(default_model, harmful.prompts + benign.prompts)
    examined = examine(default_model, panel, neuron, None)
    assert examined.effect.harmful.high < 0 and abs(examined.effect.benign.value) < 0.5
    assert examined.effect.perplexity_ratio == pytest.approx(1.0, abs=0.01)


def test_a_card_can_be_of_other_prompts(make_tiny, home, few_prompts):
    """Twins and categories are those of the built-in prompts among them; texts of one's own have none."""
    rows, benign = few_prompts
    loaded = make_tiny("llama")
    fraud = tuple(row.prompt for row in rows if row.category == "fraud")
    some = PromptClasses(PromptSet("fraud", fraud), PromptSet("benign", benign))
    own = PromptClasses(PromptSet("own", ("a b c", "d e f", "g")), PromptSet("benign", benign))
    assert [prompts_to_read(loaded.fingerprint, "last", classes) for classes in (some, own)] == [13, 10]
    records = [read_records(loaded, classes=classes) for classes in (some, own)]
    assert prompts_to_read(loaded.fingerprint, "last", some) == prompts_to_read(loaded.fingerprint, "last", own) == 0
    assert kept_records(loaded.fingerprint) is None and len({found.fingerprint for found in records}) == 2
    found = [activity(each, NEURON) for each in records]
    assert [[one.category for one in each.categories] for each in found] == [["fraud"], []]
    for prompts, each in ((fraud, found[0]), (own.harmful.prompts, found[1])):
        activations, _ = directly(loaded, prompts)
        np.testing.assert_allclose(each.distributions.harmful, activations[:, *NEURON], rtol=1e-4, atol=1e-5)
    assert found[0].distributions.low is None and found[1].distributions.low is None, "so few tell no interval"
