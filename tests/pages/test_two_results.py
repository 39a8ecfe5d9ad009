"""Two results side by side or as a difference: of two scores, two sets of prompts, two models."""

import json
import shutil

import numpy as np
import pytest

from tests.pages.conftest import keep_statistics

TWINS = "harmful prompts and their safe twins"


def texts(at):
    return " ".join(text.value for text in at.markdown)


def drawn(at, key):
    return next(json.loads(chart.proto.spec) for chart in at.get("plotly_chart") if chart.proto.id.endswith(key))


def colour_bars(at, key="neuron_map_0"):
    return [trace["colorbar"]["title"]["text"] for trace in drawn(at, key)["data"] if "colorbar" in trace]


def test_two_scores_stand_side_by_side_with_a_title_each(visit):
    at = visit()
    at.segmented_control(key="beside").set_value("side by side").run()
    assert any("Both results are the same one" in caption.value for caption in at.caption)
    at.selectbox(key="score2").set_value("ES").run()
    assert not at.exception
    assert "**SAS of every neuron in tiny**" in texts(at) and "**ES of every neuron in tiny**" in texts(at)
    assert colour_bars(at) == ["SAS, z within the layer"] and colour_bars(at, "second_map") == ["ES, Cohen's d"]
    assert any("Clicks are heard on the first map only" in caption.value for caption in at.caption)
    assert (at.query_params["beside"], at.query_params["score2"]) == ("side by side", "ES")


def test_two_scores_are_subtracted_in_ranks(visit):
    at = visit(beside="difference", score2="ES")
    assert not at.exception and not at.info
    assert "**SAS − ES of every neuron in tiny**" in texts(at) and "higher its rank by the first score" in texts(at)
    assert colour_bars(at) == ["SAS − ES, points of rank"]
    rows = at.dataframe[0].value
    assert rows["change"].abs().is_monotonic_decreasing and rows["change"].abs().max() <= 100
    assert "tau_SAS" in {slider.key for slider in at.slider}
    assert not any(box.key == "rows_above" for box in at.checkbox), "a difference has no threshold"


def test_two_sets_of_prompts_are_subtracted(short_prompts, visit):
    at = visit(beside="difference", prompts2=TWINS)
    assert f"for tiny on {TWINS}" in at.info[0].value
    assert "**SAS of every neuron in tiny**" in texts(at), "until then the first one stands alone"
    at.button(key="compute_second").click().run()
    assert not at.exception and not at.info
    title = f"Difference of SAS of every neuron in tiny on built-in prompts minus on {TWINS}"
    assert f"**{title}**" in texts(at)
    assert colour_bars(at) == ["difference of SAS, z within the layer"]
    rows = at.dataframe[0].value
    np.testing.assert_allclose(rows["change"], rows["first"] - rows["second"])


@pytest.mark.parametrize(
    ("link", "apart"),
    [({"pooling2": "max"}, "read at max"), ({"prompts2": TWINS, "pooling2": "max"}, f"on {TWINS} read at max")],
)
def test_titles_say_only_what_sets_two_results_apart(short_prompts, visit, link, apart):
    at = visit(beside="side by side", **link)
    at.button(key="compute_second").click().run()
    assert f"**SAS of every neuron in tiny {apart}**" in texts(at)


def test_titles_name_prompts_that_both_results_share_once(short_prompts, visit):
    at = visit(prompts=TWINS, beside="difference", pooling2="max")
    for key in ("compute", "compute_second"):
        at.button(key=key).click().run()
    title = f"Difference of SAS of every neuron in tiny on {TWINS} read at last minus read at max"
    assert f"**{title}**" in texts(at)


def test_a_model_compared_with_is_subtracted_unless_the_person_or_a_link_says_otherwise(visit, second_model):
    at = visit(compare=second_model)
    assert at.segmented_control(key="beside").value == "difference" and "beside" not in at.query_params
    assert "**Difference of SAS of every neuron in tiny minus tiny, trained (run:aaaaaaaa)**" in texts(at)
    at.segmented_control(key="beside").set_value("nothing").run()
    assert at.query_params["beside"] == "nothing" and "**SAS of every neuron in tiny**" in texts(at)
    at = visit(compare=second_model, beside="nothing")
    assert at.segmented_control(key="beside").value == "nothing"
    at = visit(compare=second_model, beside="side by side", score2="ES")
    assert at.segmented_control(key="beside").value == "side by side"
    assert "**ES of every neuron in tiny, trained (run:aaaaaaaa)**" in texts(at)
    at.selectbox(key="compare").set_value("nothing").run()
    assert at.segmented_control(key="beside").value == "nothing" and "beside" not in at.query_params


def test_a_link_restores_both_results(visit):
    at = visit(
        score="ES", beside="difference", score2="SAS", prompts2="category: fraud", pooling2="mean", order="score"
    )
    values = {key: at.selectbox(key=key).value for key in ("score", "score2", "prompts2", "pooling2")}
    assert values == {"score": "ES", "score2": "SAS", "prompts2": "category: fraud", "pooling2": "mean"}
    assert at.session_state["order"] == "score" and "compute_second" in {button.key for button in at.button}
    at = visit(score2="IQ", prompts2="<b>", pooling="first", beside="behind")
    assert not at.exception and at.selectbox(key="pooling").value == "last"
    assert at.segmented_control(key="beside").value == "nothing"


def test_a_second_model_is_scored_first_and_its_layers_are_counted_beside(visit, second_model, home):
    shutil.rmtree(home / "observations")
    keep_statistics(home, "tiny")
    at = visit(compare=second_model)
    assert "has not been computed yet for tiny, trained" in at.info[0].value
    assert at.button(key="compute_second").label.startswith("Compute SAS")
    keep_statistics(home, "trained", planted={(1, 1)})
    at = visit(compare=second_model)
    assert not at.exception and not at.warning and not at.info
    assert "the brighter" not in texts(at) and "the redder" in texts(at) and "FULL per layer, both models" in texts(at)
    shown = at.dataframe[0].value
    assert {(1, 1), *((0, 1), (2, 7))} <= set(zip(shown["layer"], shown["neuron"], strict=True))
    assert (shown["change"].abs().diff().dropna() <= 0).all()
    assert (shown["change"] == shown["first"] - shown["second"]).all()
    assert (shown["first"] == shown["SAS"]).all()


def test_the_same_score_has_the_same_options_and_a_chosen_one_its_own(visit):
    at = visit(score="Projection", beside="difference", prompts2=TWINS, **{"Projection.measure": "written"})
    assert "Projection.measure2" not in {menu.key for menu in at.selectbox}
    at.selectbox(key="score2").set_value("Projection").run()
    assert at.selectbox(key="Projection.measure2").label == "Second: measure"
    at.selectbox(key="Projection.measure2").set_value("written").run()
    assert at.query_params["Projection.measure2"] == "written" and not at.exception


def test_a_folder_that_a_link_compares_with_is_in_the_menu(visit, second_model, home):
    folder = home / "other"
    shutil.copytree(home / "models" / ("a" * 32), folder)
    at = visit(compare=str(folder))
    menu = at.sidebar.selectbox(key="compare")
    assert not at.error and menu.value == str(folder)
    at = menu.set_value("nothing").run()
    assert str(folder) in at.sidebar.selectbox(key="compare").options, "it can be taken again"


def test_why_a_linked_model_cannot_be_compared_is_said(visit, second_model):
    at = visit(compare="nowhere")
    (said,) = [found.value for found in at.sidebar.caption if "cannot be compared" in found.value]
    assert "nowhere cannot be compared with this model. There is no" in said
    assert at.sidebar.selectbox(key="compare").value == "nothing"
