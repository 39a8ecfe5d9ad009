"""The thresholds of ES and SAS: presets, one per family to start with, and what is never overwritten."""

import json

import pytest

from safeneuron.scores.presets import EMBEDDED, LLAMA, PRESETS, QWEN
from tests.pages.conftest import told


@pytest.fixture
def qwen(tiny_model, home, second_model):
    """Another model in the workspace, of a family with thresholds of its own."""
    folder = home / "models" / ("a" * 32)
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "qwen2"}))
    return second_model


def thresholds(at):
    return {name: at.slider(key=f"tau_{name}").value for name in ("ES", "SAS")}


def fresh(visit, **parameters):
    """Open the page by a link that says nothing of thresholds."""
    return visit(tau_ES=None, tau_SAS=None, **parameters)


def test_the_menu_has_every_preset_and_sets_both_thresholds(visit):
    at = visit()
    menu = told(at, "preset_menu")
    assert menu.value == "your own" and menu.options == ["your own", *(preset.name for preset in PRESETS)]
    for preset in PRESETS:
        told(at, "preset_menu").set_value(preset.name).run()
        assert thresholds(at) == dict(preset.thresholds)
        assert told(at, "preset_menu").value == preset.name
    at.slider(key="tau_ES").set_value(4.4).run()
    assert told(at, "preset_menu").value == "your own"


def test_a_model_starts_with_the_thresholds_of_its_family(visit, qwen):
    at = fresh(visit)
    assert thresholds(at) == dict(LLAMA.thresholds) and told(at, "preset_menu").value == LLAMA.name
    assert "the family llama" in told(at, "preset_menu").help
    before = at.session_state["model"]
    at.selectbox(key="model").set_value(qwen).run()
    assert not at.exception and thresholds(at) == dict(QWEN.thresholds)
    assert "the family qwen2" in told(at, "preset_menu").help
    assert not {"tau_ES", "tau_SAS"} & set(at.query_params), "what the model starts with stands in no link"
    at.selectbox(key="model").set_value(before).run()
    assert thresholds(at) == dict(LLAMA.thresholds)


def test_what_the_person_moved_stays_with_another_model(visit, qwen):
    at = fresh(visit)
    at.slider(key="tau_SAS").set_value(4.4).run()
    at.selectbox(key="model").set_value(qwen).run()
    assert thresholds(at) == {"ES": QWEN.thresholds["ES"], "SAS": 4.4}
    assert at.query_params["tau_SAS"] == "4.4" and "tau_ES" not in at.query_params


def test_what_a_link_says_is_not_overwritten(visit, qwen):
    at = visit(model=qwen, tau_ES="2.0", tau_SAS="6.0")
    assert thresholds(at) == dict(EMBEDDED.thresholds)
    assert (at.query_params["tau_ES"], at.query_params["tau_SAS"]) == ("2.0", "6.0")


def test_a_threshold_that_was_moved_holds_on_the_page_where_one_began(visit):
    at = visit("overlap")
    at.switch_page("pages/neurons.py").run()
    at.slider(key="tau_ES").set_value(2.4).run()
    at.switch_page("pages/overlap.py").run()
    assert (at.session_state["tau_ES"], at.query_params["tau_ES"]) == (2.4, "2.4")
