"""Ablation: presets, a switch per neuron, the meter, generated answers, one prompt of one's own."""

import numpy as np
import pytest

from safeneuron.models.parity_report import ParityReport, keep_parity, kept_parity
from safeneuron.neurons import NeuronSet
from safeneuron.ui import resources
from tests.pages.conftest import PLANTED


@pytest.mark.parametrize(("name", "count"), [("ORI", 0), ("ES", 5), ("SAS", 5), ("FULL", 5), ("RANDOM", 5)])
def test_a_preset_is_taken_in_hand_and_the_meter_follows(visit, metric, name, count):
    at = visit("ablation")
    at.segmented_control(key="preset").set_value(name).run()
    assert not at.exception and not at.error
    assert metric(at, f"Set in hand: {name}") == f"{count} neurons"
    assert metric(at, "Mean log-odds, 16 harmful prompts") and metric(at, "Mean log-odds, 16 benign prompts")
    assert len(at.get("plotly_chart")) == 1


def test_the_panel_is_the_one_of_a_full_pass(visit, tiny_model):
    """What the meter shows equals the refusal scores that the command line computes."""
    from safeneuron.models.catalogue import model_card, open_model
    from safeneuron.refusal.panel import Panel

    at = visit("ablation")
    prompts, harmful = resources.panel_prompts()
    panel = Panel(open_model(model_card(tiny_model).source), prompts)
    scores = panel.scores(NeuronSet("x", "tiny", (3, 40), frozenset(PLANTED)))
    shown = next(found for found in at.metric if "harmful" in found.label)
    assert shown.value == f"{scores[np.array(harmful)].mean():+.2f}"
    assert len(prompts) == 32 and len(set(prompts)) == 32


def test_a_model_is_checked_when_it_is_opened_and_the_badge_turns_green(visit, tiny_model):
    badges = lambda at: [found.value for found in at.sidebar.markdown if "Self-check" in found.value]  # noqa: E731
    assert "not run yet" in badges(visit("neurons"))[0]
    at = visit("ablation")
    assert kept_parity("tiny").passed
    assert len(badges(at)) == 1 and "Self-check passed" in badges(at)[0]


def test_a_model_that_fails_its_check_shows_no_numbers(visit, monkeypatch):
    from safeneuron.models import parity

    red = ParityReport(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8)
    monkeypatch.setattr(parity, "check_parity", lambda loaded: keep_parity(loaded.fingerprint, red))
    at = visit("ablation")
    assert "fails its self-check" in at.error[0].value
    assert not at.get("plotly_chart")


def test_nothing_switched_off_says_what_to_do(visit):
    at = visit("ablation", set="ORI")
    texts = " ".join(text.value for text in at.markdown)
    assert "How each answer would open: nothing switched off" in texts
    assert "ORI off" not in texts and "0 neurons" not in texts
    assert "Choose a set above" in at.info[0].value
    assert not at.exception


def test_the_own_set_can_be_put_aside_and_taken_again(visit, metric):
    at = visit("ablation", changes="1:5")
    assert metric(at, "Set in hand: own set") == "6 neurons"
    at.segmented_control(key="preset").set_value("ES").run()
    assert metric(at, "Set in hand: ES") == "5 neurons"
    at.segmented_control(key="preset").set_value("own set").run()
    assert metric(at, "Set in hand: own set") == "6 neurons"


def test_the_meter_comes_before_the_answers_on_a_narrow_screen(visit):
    """A narrow screen has the parts below each other as they are drawn."""
    drawn = list(visit("ablation").main)
    chart = next(place for place, found in enumerate(drawn) if found.type == "plotly_chart")
    answers = next(place for place, found in enumerate(drawn) if getattr(found, "key", None) == "answer_prompts")
    switches = next(place for place, found in enumerate(drawn) if getattr(found, "key", None) == "preset")
    assert switches < chart < answers
