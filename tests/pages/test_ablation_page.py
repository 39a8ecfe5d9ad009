"""Ablation: presets, a switch per neuron, the meter, generated answers, one prompt of one's own."""

import json
import shutil

import numpy as np
import pytest
import streamlit as st

from safeneuron.models.card import CARD
from safeneuron.ui import resources


@pytest.mark.parametrize(("name", "count"), [("ORI", 0), ("ES", 5), ("SAS", 5), ("FULL", 5), ("RANDOM", 5)])
def test_a_preset_is_taken_in_hand_and_the_meter_follows(visit, metric, name, count):
    at = visit("ablation")
    at.segmented_control(key="preset").set_value(name).run()
    assert not at.exception and not at.error
    assert metric(at, f"Set in hand: {name}") == f"{count} neurons"
    assert metric(at, "Mean log-odds, 8 harmful prompts") and metric(at, "Mean log-odds, 8 benign prompts")
    assert len(at.get("plotly_chart")) == 1


def test_the_panel_is_the_one_of_a_full_pass(visit, tiny_model):
    """What the meter shows equals the refusal scores that the command line computes."""
    from safeneuron.models.catalogue import model_card, open_model
    from safeneuron.neurons import NeuronSet
    from safeneuron.refusal.panel import Panel
    from tests.pages.conftest import PLANTED

    at = visit("ablation")
    prompts, harmful = resources.panel_prompts()
    panel = Panel(open_model(model_card(tiny_model).source), prompts)
    scores = panel.scores(NeuronSet("x", "tiny", (3, 40), frozenset(PLANTED)))
    shown = next(found for found in at.metric if "harmful" in found.label)
    assert shown.value == f"{scores[np.array(harmful)].mean():+.2f}"
    assert len(prompts) == 16 and len(set(prompts)) == 16


def test_nothing_switched_off_says_what_to_do(visit):
    at = visit("ablation", set="ORI")
    texts = " ".join(text.value for text in at.markdown)
    assert "with nothing switched off" in texts and "**ORI** · nothing switched off" in texts
    assert "ORI switched off" not in texts and "0 neurons" not in texts
    assert "Choose a preset above" in at.info[0].value
    assert not at.exception


def test_the_own_set_can_be_put_aside_and_taken_again(visit, metric):
    at = visit("ablation", changes="1:5")
    assert metric(at, "Set in hand: own set") == "6 neurons"
    at.segmented_control(key="preset").set_value("ES").run()
    assert metric(at, "Set in hand: ES") == "5 neurons"
    at.segmented_control(key="preset").set_value("own set").run()
    assert metric(at, "Set in hand: own set") == "6 neurons"


def test_answers_are_generated_judged_and_kept(visit, metric):
    at = visit("ablation")
    generate = at.button(key="generate")
    assert generate.label.startswith("Generate 32 answers (about")
    generate.click().run()
    assert not at.exception
    for label in ("Harmful refused, ORI", "Harmful refused, FULL", "Benign refused, ORI", "Benign refused, FULL"):
        assert metric(at, label).endswith("%")
    assert any("n = 8" in caption.value and "judge arditi" in caption.value for caption in at.caption)
    answers = [found for found in at.expander if " — ORI " in found.label]
    assert len(answers) == 16 and not any(found.proto.expanded for found in answers)
    assert "generate" not in [button.key for button in at.button], "what was answered is not offered again"
    at.segmented_control(key="preset").set_value("ES").run()
    # ES is the same five neurons here, so its answers are known too.
    assert "generate" not in [button.key for button in at.button]
    # As after a restart of the server, which has nothing in memory.
    st.cache_resource.clear()
    again = visit("ablation")
    assert metric(again, "Harmful refused, FULL") == metric(at, "Harmful refused, ES")


def test_a_prompt_of_ones_own_is_answered_twice(visit):
    at = visit("ablation")
    at.text_area(key="own_prompt").set_value("Why is the sky blue?")
    at.button(key="answer_own").click().run()
    assert not at.exception
    assert len(at.text) >= 2
    assert not any("will appear here" in caption.value for caption in at.caption)


def test_an_empty_prompt_is_not_answered(visit):
    at = visit("ablation")
    at.button(key="answer_own").click().run()
    assert at.warning[0].value == "Write a prompt first."


def test_two_models_are_read_under_the_same_ablation(visit, metric, home, tiny_folder):
    other = home / "models" / ("a" * 32)
    shutil.copytree(tiny_folder, other)
    facts = json.loads((other / CARD).read_text()) | {"title": "tiny, trained", "fingerprint": "trained"}
    (other / CARD).write_text(json.dumps(facts))
    at = visit("ablation", compare="run:aaaaaaaa")
    assert not at.exception and not at.error
    both = [found for found in at.metric if found.label == "the same, run:aaaaaaaa"]
    # The weights are the same here, so the meters are too.
    assert [found.value for found in both] == [metric(at, f"Mean log-odds, 8 {kind}") for kind in ("harmful", "benign")]
    assert all(found.delta.startswith("+0.00 against ") for found in both)
    assert len(at.get("plotly_chart")) == 1
