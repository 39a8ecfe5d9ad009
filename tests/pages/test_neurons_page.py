"""Neurons: thresholds move counts, the map listens, the set in hand is kept in the address."""

import json
import shutil

import pytest

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.plots.neuron_map import View
from safeneuron.ui import address
from tests.pages.conftest import keep_statistics


def select(at, *neurons, key="neuron_map_0", box=False):
    """Do as Streamlit does after a click on the map, or after a box."""
    points = [{"curve_number": 1, "x": index, "y": layer} for layer, index in neurons]
    drawn = [{"x": [0.0, 1.0], "y": [0.0, 1.0]}] if box else []
    at.session_state[key] = {"selection": {"points": points, "point_indices": [], "box": drawn, "lasso": []}}
    return at.run()


def test_the_map_and_the_counts_are_there_at_once(visit, metric):
    at = visit()
    assert len(at.get("plotly_chart")) == 2
    assert [metric(at, name) for name in ("ES", "SAS", "FULL")] == ["5", "5", "5"]
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    assert at.dataframe[0].value["in set"].sum() == 5


def test_thresholds_move_the_counts_and_the_set_in_hand(visit, metric):
    at = visit()
    at.slider(key="tau_ES").set_value(10.0)
    at.slider(key="tau_SAS").set_value(10.0).run()
    assert [metric(at, name) for name in ("ES", "SAS", "FULL")] == ["0", "0", "0"]
    assert metric(at, "Set in hand: FULL") == "0 neurons"
    assert at.button(key="switch_off").disabled


def test_thresholds_hold_on_other_pages(visit, metric):
    at = visit()
    at.slider(key="tau_ES").set_value(10.0)
    at.slider(key="tau_SAS").set_value(10.0).run()
    at.switch_page("pages/model.py").run()
    assert metric(at, "Set in hand") == "0 neurons"
    at.switch_page("pages/neurons.py").run()
    assert at.slider(key="tau_ES").value == 10.0


def test_a_click_adds_a_neuron_and_a_second_click_takes_it_out(visit, metric):
    at = select(visit(), (1, 5))
    assert not at.exception
    assert metric(at, "Set in hand: own set") == "6 neurons"
    assert at.toast[0].value == "Added neuron 1:5 to the set."
    assert at.query_params["changes"] == "1:5"
    at.run()
    assert metric(at, "Set in hand: own set") == "6 neurons", "a click must count once"
    at = select(at, (1, 5), key="neuron_map_1")
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    assert "changes" not in at.query_params


def test_a_click_keeps_the_part_of_the_map_that_is_looked_at(visit):
    at = visit()
    at.session_state["map_view"] = ((3, 40), View((3.5, 9.5), (0.5, 2.5), "pan"))
    layout = drawn_layout(select(at, (1, 5)))
    assert (layout["xaxis"]["range"], layout["yaxis"]["range"], layout["dragmode"]) == ([3.5, 9.5], [0.5, 2.5], "pan")
    at.session_state["map_view"] = ((3, 41), View((3.5, 9.5), (0.5, 2.5), "pan"))
    assert drawn_layout(at.run())["xaxis"]["range"] == [-0.5, 39.5], "a part of another model's map"


def drawn_layout(at):
    return json.loads(at.get("plotly_chart")[0].proto.spec)["layout"]


def test_a_click_on_a_member_takes_it_out(visit, metric):
    at = select(visit(), (0, 1))
    assert metric(at, "Set in hand: own set") == "4 neurons"
    assert at.toast[0].value == "Took neuron 0:1 out of the set."


def test_a_box_adds_what_is_in_it_and_takes_nothing_out(visit, metric):
    row = [(0, index) for index in range(40)]
    at = select(visit(), *row, box=True)
    assert metric(at, "Set in hand: own set") == "43 neurons", "5 members, 2 of them in the box of 40"
    assert at.toast[0].value == "Added 38 neurons to the set."
    at = select(at, *row, box=True, key="neuron_map_1")
    assert metric(at, "Set in hand: own set") == "43 neurons"
    at = select(at, (1, 0), box=True, key="neuron_map_2")
    assert metric(at, "Set in hand: own set") == "44 neurons"
    at = select(at, (1, 0), box=True, key="neuron_map_3")
    assert metric(at, "Set in hand: own set") == "44 neurons", "a box of one neuron is a box too"


def test_a_box_takes_out_when_told_to(visit, metric):
    at = visit()
    at.segmented_control(key="box_does").set_value("takes out").run()
    at = select(at, *((0, index) for index in range(40)), box=True)
    assert metric(at, "Set in hand: own set") == "3 neurons"
    assert at.toast[0].value == "Took 2 neurons out of the set."


def test_a_box_adds_what_is_above_the_threshold_when_told_to(visit, metric):
    at = visit()
    at.button(key="start_ORI").click().run()
    at.segmented_control(key="box_does").set_value("adds those above τ").run()
    at = select(at, *((0, index) for index in range(40)), box=True)
    assert metric(at, "Set in hand: own set") == "2 neurons"
    at = select(at, (1, 0), (1, 1), box=True, key="neuron_map_1")
    assert metric(at, "Set in hand: own set") == "2 neurons"
    assert "No neuron in there has SAS above 2.5" in at.toast[0].value


def test_a_click_on_a_cell_of_many_neurons_takes_the_one_that_it_shows(visit, metric):
    at = visit()
    point = {"curve_number": 1, "x": 3.5, "y": 1, "customdata": {"0": 4.2, "1": 5.0}}
    at.session_state["neuron_map_0"] = {
        "selection": {"points": [point], "point_indices": [], "box": [], "lasso": []},
    }
    assert "Added neuron 1:5" in at.run().toast[0].value


def test_a_link_restores_the_view(visit, metric):
    at = visit(set="ES", changes="1:5,1:6", tau_ES="4.5", score="ES")
    assert metric(at, "Set in hand: own set") == "7 neurons"
    assert at.slider(key="tau_ES").value == 4.5
    assert at.segmented_control(key="score").value == "ES"


def test_clicks_that_a_link_cannot_carry_are_said_on_every_page(visit, metric, monkeypatch):
    monkeypatch.setattr(address, "LONGEST", len("1:5,1:6"))
    at = visit(set="ORI", changes="1:5,1:6")
    assert at.query_params["changes"] == "1:5,1:6"
    assert not any("link" in caption.value for caption in at.sidebar.caption)
    select(at, (1, 7))
    for page in ("model", "ablation"):
        assert not at.exception and metric(at, "Set in hand: own set") == "3 neurons"
        assert "changes" not in at.query_params
        assert any("a link, or a reload, gives ORI without them" in caption.value for caption in at.sidebar.caption)
        at.switch_page(f"pages/{page}.py").run()
    at.switch_page("pages/neurons.py").run()
    select(at, (1, 7), key="neuron_map_1")
    assert at.query_params["changes"] == "1:5,1:6"
    assert not any("link" in caption.value for caption in at.sidebar.caption)


@pytest.mark.parametrize(("label", "count"), [("ES", 5), ("SAS", 5), ("FULL", 5), ("ORI", 0)])
def test_the_set_can_be_started_again(visit, metric, label, count):
    at = select(visit(), (1, 5))
    at.button(key=f"start_{label}").click().run()
    assert metric(at, f"Set in hand: {label}") == f"{count} neurons"


def test_the_difference_of_two_models(visit, home, tiny_folder):
    other = home / "models" / ("a" * 32)
    shutil.copytree(tiny_folder, other)
    facts = json.loads((other / CARD).read_text()) | {"title": "tiny, trained", "fingerprint": "trained"}
    (other / CARD).write_text(json.dumps(facts))
    write_sums(other)
    at = visit(compare="run:aaaaaaaa")
    assert "has not been scored yet" in at.warning[0].value
    keep_statistics(home, "trained", planted={(1, 1)})
    at = visit(compare="run:aaaaaaaa")
    assert not at.exception and not at.warning
    assert any("Change of SAS" in text.value and "tiny, trained" in text.value for text in at.markdown)
    texts = " ".join(text.value for text in at.markdown)
    assert "the brighter" not in texts and "the redder" in texts and "FULL per layer, both models" in texts
    shown = at.dataframe[0].value
    assert {(1, 1), *((0, 1), (2, 7))} <= set(zip(shown["layer"], shown["neuron"], strict=True))
    assert (shown["change"].abs().diff().dropna() <= 0).all()
    assert (shown["change"] == shown["SAS"] - shown["compared"]).all()
