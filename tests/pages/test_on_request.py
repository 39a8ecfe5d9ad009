"""What costs a pass over the prompts and is made on request: order by cluster, q-values, agreement, a model's files."""

import json

from safeneuron.scores.score import scores


def keys(at):
    return {button.key for button in at.button}


def axis(at):
    chart = next(chart for chart in at.get("plotly_chart") if chart.proto.id.endswith("neuron_map_0"))
    return json.loads(chart.proto.spec)["layout"]["xaxis"]["title"]["text"]


def test_the_order_by_cluster_is_offered_made_and_kept(short_prompts, visit, no_model):
    at = visit()
    at.segmented_control(key="order").set_value("cluster").run()
    assert "their activations on every prompt are read and kept" in at.info[0].value and axis(at) == "neuron"
    at.button(key="make_clusters").click().run()
    assert not at.exception and not at.info and "active on the same prompts side by side" in axis(at)
    no_model()
    again = visit(order="cluster")
    assert not again.exception and not again.info and axis(again) == axis(at)
    assert visit(order="cluster", pooling="mean").info, "read elsewhere, neurons are active on other prompts"


def test_the_set_in_hand_is_tested_once_and_any_set_afterwards(short_prompts, visit, no_model):
    at = visit()
    assert "how many have q < 0.05?" in at.button(key="test_set").label
    at.button(key="test_set").click().run()
    assert not at.exception and "test_set" not in keys(at)
    said = [text.value for text in at.markdown if "neurons in hand have q < 0.05" in text.value]
    assert len(said) == 1 and "of the 5 neurons" in said[0] and "on built-in prompts, read at last" in said[0]
    no_model()
    other = visit(set="ORI", changes="0:1,0:2")
    assert any("of the 2 neurons in hand" in text.value for text in other.markdown)
    assert "test_set" not in keys(visit(set="ORI")), "of no neuron there is nothing to test"


def test_the_agreement_of_all_scores_is_computed_together(short_prompts, visit, no_model):
    at = visit(score="SNIP", **{"SNIP.prompts": "4"})
    at.button(key="compute").click().run()
    label = at.button(key="compute_all").label
    waiting = [name for name, score in scores().items() if not (score.needs_other or score.immediate or name == "SNIP")]
    assert f"Compute the others: {', '.join(waiting)} (at most" in label
    at.button(key="compute_all").click().run()
    assert not at.exception and "compute_all" not in keys(at)
    spearman = next(chart for chart in at.get("plotly_chart") if chart.proto.id.endswith("spearman"))
    drawn = json.loads(spearman.proto.spec)["data"][0]
    assert set(drawn["x"]) == {name for name, score in scores().items() if not score.needs_other}
    no_model()
    again = visit(score="SNIP", **{"SNIP.prompts": "4"})
    assert not again.exception and "compute_all" not in keys(again)


def test_a_score_that_was_asked_for_is_computed_once_its_model_is_prepared(short_prompts, visit, monkeypatch):
    """The embedded model's map is there before its files are: preparing them takes a click of its own."""
    from safeneuron.ui import opening

    asked = []

    def offer(card):
        asked.append(card.title)
        return len(asked) > 1

    at = visit(score="SN-Tune")
    opened = opening.opened
    with monkeypatch.context() as patch:
        patch.setattr(opening, "opened", lambda card: opened(card) if offer(card) else opening.st.stop())
        at.button(key="compute").click().run()
        assert asked == ["tiny"] and at.info, "it waits for the click on Prepare"
        at.run()
    assert len(asked) > 1 and not at.exception and not at.info
    assert at.dataframe[0].value["SN-Tune"].is_monotonic_decreasing
