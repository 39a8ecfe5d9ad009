"""The same neurons, found when the prompts are read, worded or introduced otherwise; and parts of sets and prompts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.models.chat_format import ChatFormat
from safeneuron.models.chat_names import in_format, named_card, save_chat, spoken_as
from safeneuron.neurons import NeuronSet
from safeneuron.overlap.categories import dealt_out
from safeneuron.overlap.depth import in_layer
from safeneuron.overlap.material import read_material
from safeneuron.overlap.readings_of_change import read_variations
from safeneuron.overlap.variations import READ_AT, TOLD, WORDED, found_again, read_varied, variations
from safeneuron.prompts.wordings import PROMPT, SYSTEM_PROMPTS, WORDINGS, reworded
from safeneuron.scores.score import ACTIVATIONS
from tests.overlap.test_material import material

THRESHOLDS = {"ES": 0.5, "SAS": 1.0}


def test_every_frame_holds_the_prompt_once_and_is_put_around_both_classes(llama):
    classes = material(llama).classes
    for name, frame in WORDINGS.items():
        assert frame.count(PROMPT) == 1 and frame != PROMPT
        found = reworded(classes, name)
        for kind in ("harmful", "benign"):
            pairs = zip(getattr(found, kind).prompts, getattr(classes, kind).prompts, strict=True)
            assert all(text == frame.replace(PROMPT, prompt) for text, prompt in pairs)
    assert len(set(WORDINGS.values())) == len(WORDINGS) and len(set(SYSTEM_PROMPTS.values())) == len(SYSTEM_PROMPTS)


def test_variations_are_of_one_thing_at_a_time_and_have_targets_of_their_own(llama, home):
    save_chat("pirate", ChatFormat(system="Talk like a pirate."))
    found = material(llama)
    every = variations(llama.card, found)
    assert [one.name for one in every if one.kind == READ_AT] == ["max", "mean"]
    assert [one.name for one in every if one.kind == WORDED] == list(WORDINGS)
    assert [one.name for one in every if one.kind == TOLD] == ["your pirate", *SYSTEM_PROMPTS]
    assert len({one.material.targets for one in every} | {found.targets}) == len(every) + 1
    assert all(one.left == 25 for one in every)


def test_a_model_in_a_chat_format_is_also_tried_as_it_is_by_itself(llama, home):
    save_chat("pirate", ChatFormat(system="Talk like a pirate."))
    card = named_card(llama.card, "pirate")
    told = {one.name: one for one in variations(card, replace(material(llama), model=card.fingerprint), [TOLD])}
    assert list(told) == ["the model's own", *SYSTEM_PROMPTS]
    assert told["the model's own"].material.model == llama.fingerprint
    assert told["assistant"].card.fingerprint == in_format(llama.card, "x", told["assistant"].card.chat).fingerprint


def test_what_was_read_otherwise_is_compared_and_what_was_not_is_left_out(llama, home):
    found = material(llama)
    every = variations(llama.card, found)
    with pytest.raises(UserError, match="read them first"):
        found_again(found, every, THRESHOLDS)
    read_material(llama, found, [ACTIVATIONS])
    assert found_again(found, every, THRESHOLDS) == ()
    chosen = [one for one in every if one.name in ("mean", "polite", "assistant")]
    steps = []
    read_varied(llama, chosen, lambda step, fraction: steps.append(step))
    assert "System prompt: assistant, benign prompts" in steps
    rows = found_again(found, every, THRESHOLDS)
    assert [row.name for row in rows] == ["mean", "polite", "assistant"]
    full = found.table().select(THRESHOLDS)["FULL"]
    for row, one in zip(rows, chosen, strict=True):
        theirs = one.material.table().select(THRESHOLDS)["FULL"]
        assert (row.count, row.shared) == (len(theirs), len(full & theirs))
        assert row.jaccard == pytest.approx(len(full & theirs) / len(full | theirs))
    # As if the prompts had been written so, and the system prompt been given so.
    polite = replace(found, classes=reworded(found.classes, "polite"))
    np.testing.assert_array_equal(polite.table().values("ES"), chosen[1].material.table().values("ES"))
    assert chosen[2].card.chat.system in spoken_as(llama, chosen[2].card).tokenizer.chat_template
    assert "In other words, the sets agree to" in read_variations(rows)


def test_a_variation_without_a_neuron_is_said_and_no_zero(llama, home):
    found = material(llama)
    read_material(llama, found, [ACTIVATIONS])
    (mean,) = (one for one in variations(llama.card, found, [READ_AT]) if one.name == "mean")
    read_varied(llama, [mean])
    highest = max(mean.material.table().values("ES").max(), 0), max(mean.material.table().values("SAS").max(), 0)
    own = found.table()
    # The base's strongest neuron stays, where the variation has none.
    thresholds = {"ES": min(highest[0], own.values("ES").max() - 1e-3), "SAS": highest[1]}
    if mean.material.table().select(thresholds)["FULL"].neurons:
        thresholds = {"ES": 99.0, "SAS": 99.0}
        with pytest.raises(UserError, match="lower the thresholds"):
            found_again(found, [mean], thresholds)
        return
    (row,) = found_again(found, [mean], thresholds)
    assert np.isnan(row.jaccard) and "(mean), no neuron is above the thresholds" in read_variations([row])


def neurons(*places):
    return NeuronSet("FULL", "m", (3, 20), frozenset(places))


def test_a_layer_s_part_of_a_set_knows_where_it_came_from():
    found = in_layer(neurons((0, 1), (2, 5), (2, 6)), 2)
    assert found.neurons == {(2, 5), (2, 6)} and found.origin == {"set": "FULL", "layer": 2}


def test_prompts_dealt_out_at_random_make_groups_of_the_same_sizes():
    categories = {f"prompt {number}": "ab"[number < 30] for number in range(50)}
    dealt = dealt_out(categories)
    assert dealt.keys() == categories.keys() and dealt != categories
    assert Counter(dealt.values()) == Counter(categories.values())
    assert dealt == dealt_out(dict(reversed(categories.items())))
