"""Neurons: thresholds move counts, the map listens, the set in hand is kept in the address."""

import io
import json

import pandas as pd
import pytest
import streamlit as st

from safeneuron.plots.map_cells import View
from safeneuron.ui import address, map_clicks


def click(at, *neurons, shift=False):
    """Do as the listener does after clicks on the map that came while the page was busy."""
    at.session_state["clicks_waiting"] = [
        {"number": number, "layer": layer, "neuron": index, "shift": shift}
        for number, (layer, index) in enumerate(neurons, start=1)
    ]
    return at.run()


def box(at, x, y, key="neuron_map_0"):
    """Do as Streamlit does after a box was drawn on the map; on a small map a neuron stands at its number."""
    drawn = [{"xref": "x", "yref": "y", "x": x, "y": y}]
    at.session_state[key] = {"selection": {"points": [], "point_indices": [], "box": drawn, "lasso": []}}
    return at.run()


LAYER_0 = ([-0.5, 39.5], [-0.4, 0.4])


def test_the_map_and_the_counts_are_there_at_once(visit, metric):
    at = visit()
    keys = {chart.proto.id.rsplit("-", 1)[-1] for chart in at.get("plotly_chart")}
    assert keys == {"neuron_map_0", "per_layer", "score_histogram", "spearman", "top_overlap"}
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
    at = click(visit(), (1, 5))
    assert not at.exception
    assert metric(at, "Set in hand: own set") == "6 neurons"
    assert at.toast[0].value == "Added neuron 1:5 to the set."
    assert at.query_params["changes"] == "1:5"
    at.run()
    assert metric(at, "Set in hand: own set") == "6 neurons", "a click must count once"
    at = click(at, (1, 5))
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    assert "changes" not in at.query_params


def test_clicks_made_while_the_page_is_busy_all_count(visit, metric):
    at = click(visit(), (1, 5), (1, 6), (0, 1))
    assert metric(at, "Set in hand: own set") == "6 neurons", "two more, one less"
    assert len(at.toast) == 3


def test_with_shift_clicks_take_in_and_out_whatever_a_click_else_does(visit, metric):
    at = visit()
    at.segmented_control(key="click_does").set_value("shows its card").run()
    # One of FULL's five goes, one comes, and one comes and goes again.
    at = click(at, (1, 5), (0, 1), (1, 6), (1, 5), shift=True)
    assert metric(at, "Set in hand: own set") == "5 neurons"
    at = click(at, (1, 7), (1, 8), shift=True)
    assert metric(at, "Set in hand: own set") == "7 neurons"


def test_each_click_is_heard_once(monkeypatch):
    state = {}
    monkeypatch.setattr("streamlit.session_state", state)
    told = [{"number": number, "layer": 0, "neuron": number, "shift": False} for number in (11, 12)]
    map_clicks.hear(told)
    assert map_clicks.waiting() and state["clicks_waiting"] == told
    third = {"number": 13, "layer": 0, "neuron": 9, "shift": False}
    map_clicks.hear([*told, third])
    assert state["clicks_waiting"] == [*told, third]
    state["clicks_waiting"] = []
    map_clicks.hear([*told, third])
    assert not map_clicks.waiting()


def test_a_click_can_open_a_neurons_card_and_leave_the_set_alone(visit, metric):
    at = visit()
    assert at.text_input(key="neuron").value == ""
    at.segmented_control(key="click_does").set_value("shows its card").run()
    at = click(at, (2, 7))
    assert metric(at, "Set in hand: FULL") == "5 neurons"
    assert at.toast[0].value == "The card of neuron 2:7 is open below the map."
    assert at.text_input(key="neuron").value == "2:7" == at.query_params["neuron"]
    at = click(at, (1, 5), shift=True)
    assert metric(at, "Set in hand: own set") == "6 neurons"


@pytest.mark.parametrize(("text", "wrong"), [("2:7", False), ("9:9", True), ("2", True), ("x:y", True)])
def test_a_link_names_the_neuron_that_is_looked_at(visit, text, wrong):
    at = visit(neuron=text)
    assert not at.exception
    assert bool(at.error) == wrong


def test_a_click_keeps_the_part_of_the_map_that_is_looked_at(visit):
    at = visit()
    at.session_state["map_view"] = ((3, 40, "index"), View((3.5, 9.5), (0.5, 2.5), "pan"))
    layout = drawn_layout(click(at, (1, 5)))
    assert (layout["xaxis"]["range"], layout["yaxis"]["range"], layout["dragmode"]) == ([3.5, 9.5], [0.5, 2.5], "pan")
    for other in ((3, 41, "index"), (3, 40, "score")):
        at.session_state["map_view"] = (other, View((3.5, 9.5), (0.5, 2.5), "pan"))
        assert drawn_layout(at.run())["xaxis"]["range"] == [-0.5, 39.5], "a part of another map"


def test_each_layer_can_be_ordered_by_the_score(visit, metric):
    at = visit(order="score")
    layout = drawn_layout(at)
    assert layout["xaxis"]["range"] == [0.5, 40.5] and "highest score first" in layout["xaxis"]["title"]["text"]
    at = box(at, [0.6, 2.4], [-0.4, 0.4])
    assert at.toast[0].value == "All of these neurons were in the set.", "the two planted ones of layer 0 come first"
    assert visit(order="by colour").segmented_control(key="order").value == "index"


def drawn_layout(at):
    return json.loads(at.get("plotly_chart")[0].proto.spec)["layout"]


def test_a_click_on_a_member_takes_it_out(visit, metric):
    at = click(visit(), (0, 1))
    assert metric(at, "Set in hand: own set") == "4 neurons"
    assert at.toast[0].value == "Took neuron 0:1 out of the set."


def test_a_box_adds_what_is_in_it_and_takes_nothing_out(visit, metric):
    at = box(visit(), *LAYER_0)
    assert metric(at, "Set in hand: own set") == "43 neurons", "5 members, 2 of them in the box of 40"
    assert at.toast[0].value == "Added 38 neurons to the set."
    at = box(at, *LAYER_0, key="neuron_map_1")
    assert metric(at, "Set in hand: own set") == "43 neurons"
    at = box(at, [-0.3, 0.3], [0.8, 1.2], key="neuron_map_2")
    assert metric(at, "Set in hand: own set") == "44 neurons"
    at = box(at, [0.2, 0.7], [0.8, 1.2], key="neuron_map_3")
    assert "There is no neuron in there" in at.toast[0].value


def test_a_box_takes_out_when_told_to(visit, metric):
    at = visit()
    at.segmented_control(key="box_does").set_value("takes out").run()
    at = box(at, *LAYER_0)
    assert metric(at, "Set in hand: own set") == "3 neurons"
    assert at.toast[0].value == "Took 2 neurons out of the set."


def test_a_box_adds_what_is_above_the_threshold_when_told_to(visit, metric):
    at = visit()
    at.button(key="start_ORI").click().run()
    at.segmented_control(key="box_does").set_value("adds those above τ").run()
    at = box(at, *LAYER_0)
    assert metric(at, "Set in hand: own set") == "2 neurons"
    at = box(at, [-0.5, 1.5], [0.8, 1.2], key="neuron_map_1")
    assert metric(at, "Set in hand: own set") == "2 neurons"
    assert "No neuron in there has SAS above 2.5" in at.toast[0].value


def test_the_table_is_filtered_and_said_to_be(visit):
    at = visit()
    assert any("All 120 neurons." in caption.value for caption in at.caption)
    at.segmented_control(key="rows_membership").set_value("in the set").run()
    assert len(at.dataframe[0].value) == 5 and at.dataframe[0].value["in set"].all()
    at.slider(key="rows_layers_2").set_value((1, 1)).run()
    assert set(at.dataframe[0].value["layer"]) == {1}
    at.segmented_control(key="rows_membership").set_value("not in the set").run()
    at.checkbox(key="rows_above").check().run()
    assert not at.exception and len(at.dataframe[0].value) == 0
    assert any("No neuron passes this filter." in caption.value for caption in at.caption)


def test_the_downloads_hold_all_rows_that_pass_the_filter(visit, monkeypatch):
    monkeypatch.setattr("safeneuron.ui.neuron_table.ROWS", 3)
    offered = {}
    button = st.delta_generator.DeltaGenerator.download_button
    monkeypatch.setattr(
        st.delta_generator.DeltaGenerator,
        "download_button",
        lambda self, label, data, **rest: (
            offered.update({rest["file_name"]: data}) or button(self, label, data, **rest)
        ),
    )
    at = visit()
    at.segmented_control(key="rows_membership").set_value("not in the set").run()
    assert len(at.dataframe[0].value) == 3
    text = pd.read_csv(io.BytesIO(offered["safeneuron-neurons-SAS.csv"]()))
    rows = pd.read_parquet(io.BytesIO(offered["safeneuron-neurons-SAS.parquet"]()))
    assert len(text) == len(rows) == 115 and not rows["in set"].any()
    assert list(text) == list(rows) and (rows["SAS"].diff().dropna() <= 0).all()


def test_a_link_restores_the_view(visit, metric):
    at = visit(set="ES", changes="1:5,1:6", tau_ES="4.5", score="ES")
    assert metric(at, "Set in hand: own set") == "7 neurons"
    assert at.slider(key="tau_ES").value == 4.5
    assert at.selectbox(key="score").value == "ES"


def test_clicks_that_a_link_cannot_carry_are_said_on_every_page(visit, metric, monkeypatch):
    monkeypatch.setattr(address, "LONGEST", len("1:5,1:6"))
    at = visit(set="ORI", changes="1:5,1:6")
    assert at.query_params["changes"] == "1:5,1:6"
    assert not any("link" in caption.value for caption in at.sidebar.caption)
    click(at, (1, 7))
    for page in ("model", "ablation"):
        assert not at.exception and metric(at, "Set in hand: own set") == "3 neurons"
        assert "changes" not in at.query_params
        assert any("a link, or a reload, gives ORI without them" in caption.value for caption in at.sidebar.caption)
        at.switch_page(f"pages/{page}.py").run()
    at.switch_page("pages/neurons.py").run()
    click(at, (1, 7))
    assert at.query_params["changes"] == "1:5,1:6"
    assert not any("link" in caption.value for caption in at.sidebar.caption)


@pytest.mark.parametrize(("label", "count"), [("ES", 5), ("SAS", 5), ("FULL", 5), ("ORI", 0)])
def test_the_set_can_be_started_again(visit, metric, label, count):
    at = click(visit(), (1, 5))
    at.button(key=f"start_{label}").click().run()
    assert metric(at, f"Set in hand: {label}") == f"{count} neurons"
