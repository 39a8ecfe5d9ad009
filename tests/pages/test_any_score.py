"""Any score on the map: offered with its cost, computed in place, kept; its options, prompts and pooling."""

import pytest

from safeneuron.scores.score import scores
from safeneuron.ui.result_menu import title


def buttons(at):
    return {button.key: button for button in at.button}


def maps(at):
    return [chart for chart in at.get("plotly_chart") if chart.proto.id.endswith("neuron_map_0")]


def table(at):
    return at.dataframe[0].value


def test_every_score_of_one_model_can_be_chosen_and_says_what_it_is(visit):
    at = visit()
    offered = at.selectbox(key="score").options
    assert offered == [title(score) for score in scores().values() if not score.needs_other]
    assert {"ES · effect size", "SNIP, safety without utility", "Linear probe"} <= set(offered)


def test_a_score_is_offered_with_its_cost_computed_in_place_and_kept(short_prompts, visit, metric, no_model):
    at = visit()
    at.selectbox(key="score").set_value("SNIP").run()
    assert not at.exception and not maps(at)
    assert "SNIP, safety without utility** has not been computed yet for tiny" in at.info[0].value
    assert "about 5 s" in buttons(at)["compute"].label
    at.number_input(key="SNIP.prompts").set_value(4).run()
    at.button(key="compute").click().run()
    assert not at.exception and not at.info and maps(at)
    assert table(at)["SNIP"].is_monotonic_decreasing
    assert at.query_params["score"] == "SNIP" and at.query_params["SNIP.prompts"] == "4"

    no_model()
    again = visit(**{"score": "SNIP", "SNIP.prompts": "4"})
    assert not again.exception and not again.info and maps(again)
    assert table(again)["SNIP"].tolist() == table(at)["SNIP"].tolist()
    assert "compute" in buttons(visit(score="SNIP")), "with other options it is another result"


def test_options_are_drawn_from_the_declaration(visit):
    at = visit(score="Projection")
    for option in scores()["Projection"].options:
        kind = at.selectbox if option.choices else at.number_input
        widget = kind(key=f"Projection.{option.name}")
        assert (widget.label, widget.value) == (option.title, option.default)
    assert at.slider(key="tau_Projection").step == pytest.approx(0.01), "0.2 of 1 needs finer steps than 6 of 10"


@pytest.mark.parametrize(
    ("link", "key", "value"),
    [
        ({"Projection.measure": "written"}, "Projection.measure", "written"),
        ({"Projection.measure": "<b>"}, "Projection.measure", "cosine"),
        ({"Projection.depth": "50"}, "Projection.depth", 50),
        ({"Projection.depth": "5000"}, "Projection.depth", 60),
    ],
)
def test_a_link_restores_options_and_no_nonsense(visit, link, key, value):
    at = visit(score="Projection", **link)
    assert not at.exception
    assert at.session_state[key] == value
    said = [found.value for found in at.warning if "The link says" in found.value]
    assert said == (
        []
        if link[key] == str(value)
        else [f"The link says {key}={link[key]}, which means nothing here and is left out."]
    )


@pytest.mark.parametrize(
    "link", [{"score": "Nope"}, {"tau_ES": "1e99"}, {"layer": "-3"}, {"part": "Nope"}, {"factor": "x"}]
)
def test_what_a_link_says_in_vain_is_named(visit, link):
    ((name, text),) = link.items()
    at = visit(**link)
    assert not at.exception and not at.error
    assert at.warning[0].value == f"The link says {name}={text}, which means nothing here and is left out."
    assert name not in at.query_params
    assert not at.run().warning, "once"


@pytest.mark.parametrize(("text", "value"), [("0.07", 0.07), ("0.071", 0.07), ("9", 0.03), ("x", 0.03)])
def test_a_link_restores_a_small_threshold(visit, text, value):
    assert visit(score="AtP", tau_AtP=text).slider(key="tau_AtP").value == value


def test_prompts_and_pooling_are_part_of_the_result(short_prompts, visit, no_model):
    twins = "harmful prompts and their safe twins"
    at = visit()
    at.selectbox(key="prompts").set_value(twins).run()
    at.selectbox(key="pooling").set_value("mean").run()
    assert f"on {twins}" in at.info[0].value
    at.button(key="compute").click().run()
    assert not at.exception and not at.info
    assert (at.query_params["prompts"], at.query_params["pooling"]) == (twins, "mean")
    no_model()
    there = visit(prompts=twins, pooling="mean")
    assert not there.info and table(there)["SAS"].tolist() == table(at)["SAS"].tolist()
    assert table(visit())["SAS"].tolist() != table(at)["SAS"].tolist()


def test_a_page_says_what_its_map_is_of_where_its_sets_are_of_the_built_in_prompts(short_prompts, visit, metric):
    twins = "harmful prompts and their safe twins"
    at = visit()
    counts = [metric(at, name) for name in ("ES", "SAS", "FULL")]
    assert not any("stay those of the built-in prompts" in caption.value for caption in at.caption)
    at = visit(score="ES", prompts=twins, pooling="mean")
    sentence = f"The map shows every MLP neuron of **tiny** as soon as **ES · effect size** is computed on {twins}"
    assert any(text.value.startswith(sentence) for text in at.markdown), "nothing is drawn yet, and that is said"
    at.button(key="compute").click().run()
    assert any(f"**ES of every neuron in tiny on {twins} read at mean**" in text.value for text in at.markdown)
    assert any(
        f"The map and the ES below are of {twins}, read at mean. The sets ES, SAS and FULL" in caption.value
        for caption in at.caption
    )
    assert [metric(at, name) for name in ("ES", "SAS", "FULL")] == counts
    # So the neurons that are above the threshold on these prompts are another set, to be taken in hand by itself.
    at = visit(score="ES", prompts=twins, pooling="mean", tau_ES="0.1")
    above = buttons(at)["start_above"]
    count = int(above.label.removeprefix("ES above τ: "))
    above.click().run()
    assert (
        count
        and not at.exception
        and metric(at, "Set in hand: own set") == ("1 neuron" if count == 1 else f"{count} neurons")
    )


def test_a_score_of_two_models_is_offered_only_beside_a_second_one(visit, second_model):
    names = [title(score) for score in scores().values() if score.needs_other]
    assert names and not set(names) & set(visit().selectbox(key="score").options)
    at = visit(compare=second_model, score="Change")
    assert set(names) <= set(at.selectbox(key="score").options) and at.selectbox(key="score").value == "Change"
    assert any("compares both models by itself" in caption.value for caption in at.caption)
    assert "compute" in buttons(at) and "compute_second" not in buttons(at)
    at.selectbox(key="compare").set_value("nothing").run()
    assert not at.exception and at.selectbox(key="score").value == "SAS" and maps(at)


def test_what_is_above_the_threshold_is_taken_in_hand_and_a_link_carries_it(short_prompts, visit, metric):
    at = visit(score="SN-Tune", **{"tau_SN-Tune": "50"})
    at.button(key="compute").click().run()
    above = buttons(at)["start_above"]
    count = int(above.label.rsplit(" ", 1)[1])
    assert above.label == f"SN-Tune above τ: {count}" and 0 < count < 120
    above.click().run()
    assert at.query_params["set"] == f"top({count}, SN-Tune)"
    assert metric(at, f"Set in hand: top({count}, SN-Tune)") == f"{count} neurons"
    at.checkbox(key="rows_above").check().run()
    assert len(table(at)) == count and table(at)["in set"].all()
    at.number_input(key="SN-Tune.top_share").set_value(20.0).run()
    at.button(key="compute").click().run()
    buttons(at)["start_above"].click().run()
    assert metric(at, "Set in hand: own set"), "no expression stands for a result with other options"
    assert "start_above" not in buttons(visit(score="ES")), "ES has a set of that name already"


def test_the_card_ranks_by_the_score_that_is_shown(visit, metric):
    at = visit(neuron="0:1")
    assert metric(at, "Rank by SAS")
    at.selectbox(key="score").set_value("ES").run()
    assert metric(at, "Rank by ES").endswith("of 120")
