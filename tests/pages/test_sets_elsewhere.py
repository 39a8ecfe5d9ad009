"""Neuron sets from files, and kept ones on the pages that use them."""

import json

from safeneuron.neurons import NeuronSet
from safeneuron.runs import store
from safeneuron.sets.kept import kept_set
from safeneuron.training import start


def upload(found, name="set.json"):
    return (name, json.dumps(found.to_json()).encode(), "application/json")


def test_a_file_is_uploaded_kept_and_in_hand(visit, metric):
    found = NeuronSet("theirs", "tiny", (3, 40), frozenset({(1, 1)}), {"typed": "1:1"})
    at = visit()
    at.file_uploader(key="set_file_0").set_value(upload(found)).run()
    at.button(key="keep_upload").click().run()
    assert not at.exception and not at.error
    assert kept_set("theirs", "tiny") == found
    assert at.selectbox(key="kept_set").value == "theirs"
    assert metric(at, "Set in hand: theirs") == "1 neuron"


def test_a_file_of_another_model_is_kept_only_when_the_person_says_so(visit):
    found = NeuronSet("theirs", "stranger", (3, 40), frozenset({(1, 1)}))
    at = visit()
    at.file_uploader(key="set_file_0").set_value(upload(found)).run()
    assert "was found on another model" in at.error[0].value
    at.toggle(key="foreign_set").set_value(True).run()
    at.button(key="keep_upload").click().run()
    assert not at.exception and not at.error
    assert kept_set("theirs", "tiny").origin == {"made for another model": "stranger"}


def test_a_file_that_is_no_set_is_a_sentence(visit):
    at = visit()
    at.file_uploader(key="set_file_0").set_value(("x.json", b"[]", "application/json")).run()
    assert not at.exception and "x.json is not a neuron set" in at.error[0].value


def test_ablation_switches_a_kept_set_off(visit, mine):
    at = visit("ablation", set='"my set"')
    assert not at.exception and not at.error
    assert at.segmented_control(key="preset").value == '"my set"'
    assert at.segmented_control(key="preset").options[-1] == "my set"
    assert any("**my set: 2 neurons**" in text.value for text in at.markdown)


def test_a_run_freezes_a_kept_set_and_records_where_it_came_from(visit, mine, monkeypatch):
    monkeypatch.setattr(start, "launch", lambda *arguments: None)
    at = visit("training", set='"my set"')
    at.segmented_control(key="freeze").set_value('"my set"').run()
    at.button(key="start_run").click().run()
    assert not at.exception and not at.error
    (info,) = store.list_runs()
    assert info.parameters["set"] == "my set" and "my set frozen" in info.name
    kept = store.get_json(info.id, "neurons")
    assert (kept["name"], kept["neurons"]) == ("my set", [[0, 1], [2, 39]])
    assert kept["origin"] == {"typed": "0:1,2:39"}


def test_robustness_offers_a_bar_of_a_kept_set(visit, mine):
    at = visit("robustness", set='"my set"')
    before = next(button.label for button in at.button if button.key == "evaluate")
    at.toggle(key="further_bar").set_value(True).run()
    assert not at.exception and not at.error
    after = next(button.label for button in at.button if button.key == "evaluate")
    assert before != after, "a further condition has more answers to give"
    assert not visit("robustness", set="ES").toggle
