"""The neuron card: opened from a link, a field or a button; what is known is drawn, what costs is offered."""

import pytest

from safeneuron.neuron_card.extremes import PromptActivation
from safeneuron.neuron_card.tokens import TokenActivations
from safeneuron.ui import token_strip


def keys(at):
    return {button.key for button in at.button}


def test_without_a_neuron_it_says_how_to_open_one(visit, metric):
    at = visit()
    assert not at.exception
    assert "card_close" not in keys(at) and not any(found.label.startswith("Rank") for found in at.metric)
    at.button(key="open_strongest").click().run()
    assert metric(at, "Rank by SAS") == "1 of 120"
    assert at.text_input(key="neuron").value == at.query_params["neuron"]
    assert at.button(key="card_previous").disabled


def test_a_link_opens_a_neuron_and_its_ranks_can_be_walked(visit, metric):
    at = visit(neuron="1:30")
    rank = int(metric(at, "Rank by SAS").split(" ")[0])
    at.button(key="card_next").click().run()
    assert at.query_params["neuron"] != "1:30" and metric(at, "Rank by SAS") == f"{rank + 1} of 120"
    at.button(key="card_previous").click().run()
    assert at.query_params["neuron"] == "1:30"
    at.text_input(key="neuron").set_value(" 2:39 ").run()
    assert metric(at, "Rank by SAS").endswith("of 120") and not at.error
    at.button(key="card_close").click().run()
    assert "neuron" not in at.query_params and "card_close" not in keys(at)


def test_it_goes_into_the_set_and_out(visit, metric):
    at = visit(neuron="1:5")
    assert at.button(key="card_set").label == "Put into the set"
    at.button(key="card_set").click().run()
    assert metric(at, "Set in hand: own set") == "6 neurons"
    assert at.button(key="card_set").label == "Take out of the set"
    at.button(key="card_set").click().run()
    assert metric(at, "Set in hand: FULL") == "5 neurons"


def test_it_alone_can_be_taken_to_the_ablation_page(visit, metric):
    at = visit(neuron="1:5")
    at.button(key="card_alone").click().run()
    assert not at.exception and at.title[0].value == "Ablation"
    assert metric(at, "Set in hand: own set") == "1 neuron"
    assert at.query_params["changes"] == "1:5" and at.query_params["set"] == "ORI"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("9:1", "Neuron 9:1 does not exist in this model"), ("0:40", "neurons 0 to 39"), ("<b>", "is not a neuron")],
)
def test_a_neuron_that_there_is_not_is_one_sentence_and_the_page_stays(visit, text, sentence):
    at = visit(neuron=text)
    assert len(at.error) == 1 and sentence in at.error[0].value
    assert not at.exception and len(at.dataframe) == 1
    at.button(key="card_close").click().run()
    assert not at.error and "neuron" not in at.query_params


def test_what_costs_is_offered_done_once_and_kept(visit, metric, few_prompts, monkeypatch):
    at = visit(neuron="1:30")
    assert "on 19 prompts" in at.button(key="card_read").label
    at.button(key="card_examine").click().run()
    assert not at.exception
    assert metric(at, "Refusal log-odds, off alone").endswith("]")
    assert metric(at, "Perplexity, off alone").startswith("× ")
    assert "card_examine" not in keys(at), "all is known that can be without the activations"
    charts = len(at.get("plotly_chart"))
    at.button(key="card_read").click().run()
    assert not at.exception and "card_read" not in keys(at)
    assert len(at.get("plotly_chart")) == charts + 2
    assert float(metric(at, "Cosine with refusal")) == pytest.approx(0, abs=1)
    assert sum("Not measured yet" in found.value for found in at.caption) == 0
    at.button(key="card_examine").click().run()
    assert "card_examine" not in keys(at)
    at.segmented_control(key="card_near").set_value("all layers").run()
    # The table of the strongest, and both tables of neighbours.
    assert len(at.dataframe) == 3 and not at.exception

    from safeneuron.models.shelf import ModelShelf

    monkeypatch.setattr(ModelShelf, "get", lambda *of, **how: pytest.fail("the model was asked for"))
    again = visit(neuron="1:30")
    assert not again.exception
    assert metric(again, "Perplexity, off alone") == metric(at, "Perplexity, off alone")
    assert not {"card_read", "card_examine"} & keys(again)


def test_the_card_is_read_where_the_map_is(short_prompts, visit, few_prompts):
    at = visit(neuron="1:30")
    at.button(key="card_read").click().run()
    at.selectbox(key="pooling").set_value("mean").run()
    at.button(key="compute").click().run()
    assert not at.exception and "card_read" in keys(at), "what was read at last says nothing of the mean"
    at.button(key="card_read").click().run()
    assert not at.exception and "card_read" not in keys(at)
    chart = next(found for found in at.get("plotly_chart") if found.proto.id.endswith("card_distributions"))
    assert "mean over the prompt's tokens" in chart.proto.spec
    assert any("are of built-in prompts, read at mean; ES, SAS and means" in found.value for found in at.caption)


def test_the_card_is_of_the_prompts_that_the_map_shows(short_prompts, visit):
    at = visit(neuron="1:30", prompts="category: fraud")
    at.button(key="compute").click().run()
    at.button(key="card_read").click().run()
    assert not at.exception and "card_read" not in keys(at)
    assert any("are of category: fraud, read at last; ES, SAS and means" in found.value for found in at.caption)
    chart = next(found for found in at.get("plotly_chart") if found.proto.id.endswith("card_categories"))
    assert "fraud" in chart.proto.spec and "cybercrime" not in chart.proto.spec
    at.selectbox(key="prompts").set_value("built-in prompts").run()
    assert "card_read" in keys(at), "these are other prompts"


def test_nothing_in_a_token_is_markup():
    row = TokenActivations("x", ("<b>", "a\n", "&"), (True, False, False), (1.0, -1.0, 0.0))
    html = token_strip.prompt_html(PromptActivation("x", "harmful", 1.0), row, 1.0)
    assert "<b>" not in html and "&lt;b&gt;" in html and "a↵\n" in html and "&amp;" in html
    assert html.count('title="') == 3 and 'title="-1.000"' in html
    assert "&lt;i&gt;" in token_strip.prompt_html(PromptActivation("<i>", "benign", 0.0), None, 1.0)
    assert "<s>" not in token_strip.chips_html([("<s>", 1.0)], 1.0)
