"""The Overlap page over a tiny model: what it offers, what it draws, and what it says instead of drawing zero."""

import json

import numpy as np
import pytest

from safeneuron.observations.observation import observations
from safeneuron.overlap.keeping import keep_arrays
from safeneuron.overlap.variations import variations
from safeneuron.overlap.writing import READINGS, _depends
from safeneuron.statistics import ActivationStatistics
from safeneuron.ui.choice import card_of
from tests.pages.overlap_readings import LAYERS, WIDTH, drawn, keep_records, part, texts


def test_a_first_visit_draws_from_scores_alone(visit, no_model):
    no_model()
    at = visit("overlap")
    assert drawn(at) == 2
    assert "most in layer" in texts(at) and "ES and SAS share 5 neurons of 5 and 5" in texts(at)


@pytest.mark.parametrize("name", ["Categories", "Layers", "Writing", "Stability"])
def test_what_has_to_be_read_first_is_offered_with_its_cost(visit, no_model, name):
    no_model()
    at = part(visit("overlap"), name)
    assert drawn(at) == 0
    assert "reads 800 prompts once" in at.info[0].value and " kB" in at.info[0].value
    assert any(button.label.startswith("Read the prompts (about") for button in at.button)


def test_categories(visit, read, no_model):
    no_model()
    at = part(visit("overlap"), "Categories")
    assert drawn(at) == 4
    assert "Of the 5 neurons in any of 10 categories' sets, 5 (100%) are in all of them" in texts(at)
    assert "two categories share 100% on average" in texts(at)
    at.segmented_control(key="overlap_formula").set_value("mean").run()
    assert drawn(at) == 4 and "Of their mean size" in texts(at)
    assert "Most neurons (5) are in all 10 categories; random sets would have" in texts(at)


def test_one_category_only_is_said(visit, read):
    at = part(visit("overlap"), "Categories")
    at.multiselect(key="overlap_categories").set_value(["fraud"]).run()
    assert drawn(at) == 0 and "choose at least two" in at.warning[0].value
    at.selectbox(key="prompts").set_value("category: fraud").run()
    assert drawn(at) == 0 and "reads" in at.info[0].value


def test_no_neuron_above_the_thresholds_is_said(visit, read):
    at = part(visit("overlap", tau_ES="9", tau_SAS="9"), "Categories")
    assert drawn(at) == 0 and "lower the thresholds" in at.warning[0].value
    at = part(at, "Depth")
    assert drawn(at) == 1 and "ES has no neuron" in at.warning[0].value


def test_layers_are_compared_once_and_the_layer_is_marked(visit, read, no_model):
    no_model()
    at = part(visit("overlap"), "Layers")
    assert drawn(at) == 0
    at.button(key="overlap_represent").click().run()
    assert drawn(at) == 3
    assert "Behind layer 0 a probe is right in" in texts(at) and "A probe of one category is right in" in texts(at)
    at.selectbox(key="layer").set_value(1).run()
    assert drawn(at) == 3 and "Layer 1: a probe for one category" in texts(at)
    at.selectbox(key="overlap_measure").set_value("angle").run()
    assert drawn(at) == 3 and "How far apart are the layers' difference subspaces?" in texts(at)
    again = part(visit("overlap"), "Layers")
    assert drawn(again) == 3


def test_a_click_picks_the_layer_once(visit):
    at = visit("overlap")
    at.session_state["overlap_two_sets"] = {"selection": {"points": [{"x": 2}], "box": [], "lasso": []}}
    at.run()
    assert at.selectbox(key="layer").value == 2
    at.selectbox(key="layer").set_value(0).run()
    assert at.selectbox(key="layer").value == 0
    part(at, "Stability")
    assert at.selectbox(key="layer").value == 0


@pytest.mark.parametrize(("key", "title"), [("overlap_to_map", "Neurons"), ("overlap_to_lab", "Ablation")])
def test_a_layer_leads_to_the_map_and_to_the_lab(visit, key, title):
    at = visit("overlap")
    at.selectbox(key="layer").set_value(2).run()
    at.button(key=key).click().run(timeout=300)
    assert at.title[0].value == title
    if title == "Neurons":
        assert at.session_state["neuron"] in ("2:7", "2:8")
    else:
        assert at.sidebar.metric[0].value == "2 neurons"


def test_a_link_restores_part_and_layer(visit, read):
    at = visit("overlap", part="Stability", layer="2")
    assert drawn(at) == 0 and at.button(key="overlap_resample")
    assert at.selectbox(key="layer").value == 2
    at.switch_page("pages/ablation.py").run(timeout=300)
    at.query_params.clear()
    at.switch_page("pages/overlap.py").run()
    assert at.button(key="overlap_resample") and at.selectbox(key="layer").value == 2


def test_a_layer_without_safety_neurons_leads_nowhere(visit):
    at = visit("overlap", tau_ES="9", tau_SAS="9")
    at.selectbox(key="layer").set_value(2).run()
    assert at.button(key="overlap_to_map").disabled and at.button(key="overlap_to_lab").disabled


def test_writing_is_that_of_the_set_in_hand(visit, read, no_model):
    values = {f"{reading} {kind}": np.ones((LAYERS, WIDTH), np.float32) for reading in READINGS for kind in ("benign",)}
    values |= {f"{reading} harmful": np.full((LAYERS, WIDTH), 3, np.float32) for reading in READINGS}
    keep_arrays(values, *_depends(read))
    no_model()
    at = part(visit("overlap"), "Writing")
    assert drawn(at) == 1
    assert "FULL writes most towards refusing in layer 0: its 2 neurons there write 4 units" in texts(at)
    at = part(visit("overlap", set="ORI"), "Writing")
    assert drawn(at) == 0 and "ORI has no neuron" in at.warning[0].value


def test_stability(visit, read, no_model):
    no_model()
    at = part(visit("overlap"), "Stability")
    assert drawn(at) == 0
    at.button(key="overlap_resample").click().run()
    assert drawn(at) == 2
    assert "5 of its 5 neurons are found in at least 95%" in texts(at)
    captions = " ".join(found.value for found in at.caption)
    assert "Not tried yet: read at max, read at mean, wording polite" in captions
    assert any(button.label.startswith("Read 7,200 prompts (about") for button in at.button)
    at.segmented_control(key="overlap_variation_kind").set_value("wording").run()
    assert any(button.label.startswith("Read 3,200 prompts (about") for button in at.button)


def test_variations_that_were_read_are_drawn(visit, read, no_model, tiny_model):
    for one in variations(card_of(tiny_model), read):
        if one.name in ("polite", "assistant"):
            keep_statistics_of(one.material, {(0, 1), (0, 2)})
    no_model()
    at = part(visit("overlap"), "Stability")
    assert drawn(at) == 1
    assert "In other words, the sets agree to 0.40, polite: 2 shared of 2" in texts(at)
    assert "With another system prompt, the sets agree to 0.40, assistant" in texts(at)


def keep_statistics_of(material, planted):
    for target, shift in zip(material.targets, (5.0, 0.0), strict=True):
        mean = np.random.default_rng(0).standard_normal((LAYERS, WIDTH)) * 0.1
        for neuron in planted:
            mean[neuron] += shift
        folder = observations()["activations"].folder(target)
        ActivationStatistics(len(target.prompts), mean, np.ones(mean.shape), "last", folder.name).save(folder)


def test_own_categories_are_compared_and_a_small_one_is_named(visit, read, no_model):
    counts = {"lies": 9, "noise": 8, "mess": 3}
    rows = [(f"How do I make {name} {number}?", name) for name, count in counts.items() for number in range(count)]
    harmful = "\n".join(json.dumps({"prompt": text, "about": name, "id": 1}) for text, name in rows).encode()
    benign = "\n".join(f"What is cake {number}?" for number in range(20)).encode()
    no_model()
    at = part(visit("overlap"), "Categories")
    at.file_uploader(key="own_harmful_0").set_value(("bad.jsonl", harmful, "text/plain")).run()
    assert at.selectbox(key="own_category_0").options == ["none", "about", "id"]
    at.selectbox(key="own_category_0").set_value("about").run()
    at.file_uploader(key="own_benign_0").set_value(("good.txt", benign, "text/plain")).run()
    at.text_input(key="own_prompts_name_0").set_value("mine").run()
    assert any("3 categories" in found.value for found in at.caption)
    at.button(key="keep_prompts").click().run()
    assert at.selectbox(key="prompts").value == "own: mine" and "reads 40 prompts once" in at.info[0].value
    keep_records("tiny", "own: mine")
    at.run()
    assert drawn(at) == 4 and at.multiselect(key="overlap_categories").options == ["lies", "noise"]
    assert any("mess has 3 prompts and is left out" in found.value for found in at.caption)


def test_prompts_are_read_and_what_is_written_added_up_in_place(short_prompts, visit):
    at = part(visit("overlap"), "Writing")
    assert "reads 14 prompts once" in at.info[0].value
    next(button for button in at.button if button.label.startswith("Read the prompts")).click().run(timeout=300)
    assert drawn(at) == 0
    at.button(key="overlap_write").click().run(timeout=300)
    assert drawn(at) == 1 and "FULL writes most towards refusing in layer" in texts(at)
