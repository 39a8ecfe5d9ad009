"""Neuron sets on the pages: kept, taken in hand, combined, uploaded, and named in a link."""

import json
import shutil

import pytest

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.neurons import NeuronSet
from safeneuron.scores.score import scores
from safeneuron.sets.kept import kept_names, kept_set
from safeneuron.ui import address
from tests.pages.conftest import PLANTED, keep_statistics, told

PAGES = ("model", "neurons", "ablation", "training", "robustness")


def test_the_set_in_hand_is_kept_and_then_in_hand_by_name(visit, metric):
    at = visit(set="ES", changes="1:5")
    at.text_input(key="set_name").set_value("clicked")
    at.button(key="keep_set").click().run()
    assert not at.exception and not at.error
    kept = kept_set("clicked", "tiny")
    assert kept.neurons == PLANTED | {(1, 5)}
    assert kept.origin["method"] == "ES" and kept.origin["changed"] == "1:5"
    assert metric(at, "Set in hand: clicked") == "6 neurons"
    assert at.query_params["set"] == "clicked" and "changes" not in at.query_params
    assert at.toast[0].value == "Kept 6 neurons as clicked."
    at.slider(key="tau_ES").set_value(10.0).run()
    assert metric(at, "Set in hand: clicked") == "6 neurons", "kept as it was"


@pytest.mark.parametrize("page", PAGES)
def test_a_kept_set_is_in_hand_on_every_page(visit, metric, mine, page):
    at = visit(page, set='"my set"')
    assert not at.exception and not at.error and not at.sidebar.warning
    assert metric(at, "Set in hand: my set") == "2 neurons"
    menu = told(at, "set_menu")
    assert menu.options == ["ORI", "ES", "SAS", "FULL", "RANDOM", "my set"]
    menu.set_value("ES").run()
    assert metric(at, "Set in hand: ES") == "5 neurons"
    told(at, "set_menu").set_value('"my set"').run()
    assert metric(at, "Set in hand: my set") == "2 neurons"
    assert at.query_params["set"] == '"my set"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nobody", "There is no set 'nobody'"),
        ("/etc/passwd.json", "Files are not read from here"),
        ('ES | "/etc/passwd.json"', "Files are not read from here"),
        ("ES |", "A set is missing near"),
        ("(" * 3000, "more than 100 operations"),
    ],
)
def test_a_link_with_an_unknown_set_says_so_and_shows_full(visit, metric, monkeypatch, text, said):
    monkeypatch.setattr(NeuronSet, "load", lambda path: pytest.fail(f"read {path}"))
    at = visit(set=text, changes="1:5")
    assert not at.exception and not at.error
    assert said in at.warning[0].value and "The set in hand is FULL now." in at.warning[0].value
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    assert "set" not in at.query_params and "changes" not in at.query_params


def test_an_expression_stands_in_a_link(visit, metric, mine):
    at = visit(set="top(3, SAS, not in 0:1) | 2:39")
    assert not at.exception and not at.error
    assert metric(at, "Set in hand: top(3, SAS, not in 0:1) | 2:39") == "4 neurons"


def test_a_long_expression_is_cut_short_in_titles_and_whole_in_the_help(visit, metric):
    text = " | ".join(f"1:{index}" for index in range(30))
    at = visit("ablation", set=text)
    assert not at.exception and not at.error
    shown = at.sidebar.metric[0]
    assert (shown.label, shown.value) == (f"Set in hand: {text[:39]}…", "30 neurons")
    assert f"`{text}`" in shown.proto.help
    assert at.query_params["set"] == text


def test_a_set_too_long_for_a_link_is_said(visit, metric, monkeypatch):
    monkeypatch.setattr(address, "LONGEST", 10)
    at = visit(set="ES | SAS | 1:5")
    assert metric(at, "Set in hand: ES | SAS | 1:5") == "6 neurons"
    assert "set" not in at.query_params
    assert any("Too long for a link" in caption.value for caption in at.sidebar.caption)


def test_asking_for_more_than_there_are_can_be_undone(visit, metric):
    at = visit(set="top(999, SAS)")
    assert "asks for 999 neurons and there are 120; ask for fewer. FULL is in hand until then." in at.warning[0].value
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    told(at, "set_menu").set_value("SAS").run()
    assert not at.warning and at.sidebar.metric[0].label == "Set in hand: SAS"


def test_a_set_that_a_threshold_makes_impossible_comes_back_with_it(visit):
    text = "top(2, ES, in SAS)"
    at = visit(set=text)
    assert at.sidebar.metric[0].label == f"Set in hand: {text}"
    start = at.session_state["tau_SAS"]
    at.session_state["tau_SAS"] = scores()["SAS"].highest_threshold
    at.run()
    assert not at.error and text in at.warning[0].value
    assert at.sidebar.metric[0].label == "Set in hand: FULL"
    at.run()
    assert text in at.warning[0].value, "said as long as it is so"
    at.session_state["tau_SAS"] = start
    at.run()
    assert not at.warning and at.sidebar.metric[0].label == f"Set in hand: {text}"


def test_another_set_of_the_name_is_replaced_only_after_a_question(visit, metric, mine):
    at = visit(set="SAS")
    at.text_input(key="set_name").set_value("my set")
    at.button(key="keep_set").click().run()
    assert any("There is another set named my set" in found.value for found in at.warning)
    assert kept_set("my set", "tiny") == mine
    at.button(key="replace_set").click().run()
    assert not at.exception and not at.warning
    assert kept_set("my set", "tiny").neurons == PLANTED
    assert metric(at, "Set in hand: my set") == "5 neurons"


def test_a_name_that_is_none_is_a_sentence(visit):
    at = visit()
    for name, said in (("", "cannot name a set"), ("../x", "cannot name a set"), ("full", "is taken by safeneuron")):
        at.text_input(key="set_name").set_value(name)
        at.button(key="keep_set").click().run()
        assert not at.exception and said in at.error[0].value
    assert kept_names("tiny") == []


def test_two_sets_are_combined_with_the_count_before(visit, metric, mine):
    at = visit(set="ES", changes="1:5")
    at.selectbox(key="set_b").set_value('"my set"').run()
    for sign, count in (("∪", 7), ("∩", 1), ("∖", 5), ("△", 6)):
        at.selectbox(key="set_sign").set_value(sign).run()
        assert not at.exception and not at.warning
        assert metric(at, "Neurons") == str(count)
    assert at.code[0].value == "--set 'ES ^ 1:5 ^ \"my set\"'"
    at.button(key="take_made").click().run()
    assert metric(at, 'Set in hand: ES ^ 1:5 ^ "my set"') == "6 neurons"
    assert len(at.selectbox(key="set_a").options) == 8


def test_the_top_of_the_shown_score_that_a_set_leaves(visit, metric, mine):
    at = visit(score="ES", set="ORI")
    at.segmented_control(key="set_way").set_value("top of a score").run()
    at.number_input(key="top_count").set_value(4)
    at.selectbox(key="top_outside").set_value('"my set"').run()
    assert metric(at, "Neurons") == "4"
    at.button(key="take_made").click().run()
    assert metric(at, 'Set in hand: top(4, ES, not in "my set")') == "4 neurons"
    at.number_input(key="top_count").set_value(500).run()
    assert any("asks for 500 neurons and there are 118" in found.value for found in at.warning)


def test_a_random_control_of_the_set_in_hand(visit, metric):
    at = visit(set="ES")
    at.segmented_control(key="set_way").set_value("random control").run()
    at.number_input(key="random_seed").set_value(3).run()
    at.button(key="take_made").click().run()
    assert metric(at, "Set in hand: random(ES, 3)") == "5 neurons"


def test_an_expression_is_written_and_its_mistakes_are_sentences(visit, metric):
    at = visit()
    at.segmented_control(key="set_way").set_value("write it").run()
    assert not at.exception and not at.warning
    for text, said in (("ES |", "A set is missing near 'ES |'"), ("x.json", "Files are not read from here")):
        at.text_input(key="set_expression").set_value(text).run()
        assert said in at.warning[0].value
    at.text_input(key="set_expression").set_value("FULL - 0:1,0:2").run()
    at.button(key="take_made").click().run()
    assert metric(at, "Set in hand: FULL - 0:1,0:2") == "3 neurons"


def test_a_kept_set_is_taken_and_deleted(visit, metric, mine):
    at = visit()
    assert any("From: typed as 0:1,2:39" in caption.value for caption in at.caption)
    at.button(key="take_kept").click().run()
    assert metric(at, "Set in hand: my set") == "2 neurons"
    at.button(key="delete_set").click().run()
    assert not at.exception and not at.error
    assert kept_names("tiny") == [] and metric(at, "Set in hand: FULL") == "5 neurons"
    assert any("No set is kept" in caption.value for caption in at.caption)


def test_a_runs_model_is_offered_the_sets_of_the_one_it_was_trained_from(
    visit, metric, mine, home, tiny_folder, tiny_model
):
    child = home / "models" / ("b" * 32)
    shutil.copytree(tiny_folder, child)
    facts = json.loads((child / CARD).read_text()) | {"fingerprint": "trained", "parent": tiny_model}
    (child / CARD).write_text(json.dumps(facts))
    write_sums(child)
    keep_statistics(home, "trained")
    at = visit(model="run:bbbbbbbb", set='"my set"')
    assert not at.exception and not at.error and not at.warning
    assert metric(at, "Set in hand: my set") == "2 neurons"
    (delete,) = (found.proto.popover for found in at.get("popover") if found.proto.popover.label == "Delete")
    assert delete.disabled, "it is the other model's to delete"


def test_a_set_that_the_next_model_does_not_have_is_said(visit, metric, mine, home, tiny_folder):
    other = home / "models" / ("c" * 32)
    shutil.copytree(tiny_folder, other)
    facts = json.loads((other / CARD).read_text()) | {"fingerprint": "other"}
    (other / CARD).write_text(json.dumps(facts))
    write_sums(other)
    keep_statistics(home, "other")
    at = visit(set='"my set"')
    at.sidebar.selectbox(key="model").set_value("run:cccccccc").run()
    assert not at.exception and not at.error
    assert "The set my set is kept for another model" in at.warning[0].value
    assert metric(at, "Set in hand: FULL") == "5 neurons"


def test_a_broken_file_is_a_sentence(visit, mine, home):
    (home / "sets" / "tiny" / "bad.json").write_text("{")
    at = visit()
    assert not at.exception and not at.error
    assert "bad.json is not a neuron set" in at.warning[0].value
