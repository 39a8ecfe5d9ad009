"""Bars, differences and the meter of refusals show their numbers with what they rest on."""

import numpy as np

from safeneuron.plots import palette
from safeneuron.plots.refusal_bars import refusal_bars
from safeneuron.plots.refusal_meter import refusal_meter
from safeneuron.refusal.rates import rate
from safeneuron.refusal.reading import Reading
from tests.plots.examples import FIGURES, PANEL, RATES, READING, ROWS


def test_bars_show_rates_with_intervals_n_and_judge():
    figure = refusal_bars({"now": ROWS})
    bars, numbers = figure.plotly.data
    assert list(numbers.text) == ["95", "40", "30", "0", "100"]
    assert list(bars.x) == ["ORI", "ES", "SAS", "FULL", "RANDOM"]
    np.testing.assert_allclose(bars.y, [95, 40, 30, 0, 100])
    np.testing.assert_allclose(np.array(bars.y) - bars.error_y.arrayminus, [90, 35, 25, 0, 95])
    np.testing.assert_allclose(np.array(bars.y) + bars.error_y.array, [100, 45, 35, 5, 100])
    assert "n = 64" in figure.title and "arditi" in figure.title
    assert [*bars.marker.color] == [palette.CONDITIONS[name] for name in RATES]


def test_what_is_counted_apart_is_said():
    assert refusal_bars({"now": ROWS}).caveat.startswith("Empty and incoherent answers were not looked for.")
    looked = [row | {"incoherent": 0, "empty": 0, "benign_incoherent": 0} for row in ROWS]
    assert refusal_bars({"now": looked}).caveat.startswith("No answer was empty or incoherent.")
    broken = [looked[0], looked[1] | {"incoherent": 3, "empty": 1}]
    assert "no refusals: ES: 3 incoherent, 1 empty." in refusal_bars({"now": broken}).caveat
    assert "ES, after: 3 incoherent" in refusal_bars({"before": looked, "after": broken}).caveat
    assert refusal_bars({"now": broken}, "benign").caveat.startswith("No answer was empty")


def test_an_attack_is_drawn_by_rounds_with_its_control_beside():
    alone, two = FIGURES["attack"](), FIGURES["two attacks"]()
    line, control = alone.plotly.data
    assert list(line.y) == [75, 25] and list(control.y) == [50]
    assert list(alone.plotly.layout.xaxis.ticktext) == ["0 (ORI)", "1", "RANDOM"] and list(control.x) == [2]
    np.testing.assert_allclose(line.y[1] + line.error_y.array[1], 100 * rate(0.25, 16, "").high)
    assert "round 1, 3 neurons off: 25.0% refused" in line.text[1] and "n = 16" in line.text[1]
    assert "3 random neurons off: 50.0% refused" in control.text[0]
    assert "n = 16, judge: arditi" in alone.title and "a model, round 1: 2 incoherent" in alone.caveat
    assert list(alone.data["condition"]) == ["round 0", "round 1", "RANDOM"]
    # Of two models, told apart by colour and dash, only the second has a control here.
    assert [trace.name for trace in two.plotly.data] == ["before", "after", "after, RANDOM"]
    before, after, control = two.plotly.data
    assert before.line.color != after.line.color and before.line.dash != after.line.dash
    assert control.marker.color == after.line.color and not control.showlegend
    assert before.x[0] != after.x[0]


def test_a_further_set_has_a_bar_and_is_explained():
    figure = refusal_bars({"now": [*ROWS, ROWS[0] | {"condition": "mine"}]})
    assert figure.plotly.data[0].x[-1] == "mine"
    assert figure.plotly.data[0].marker.color[-1] == palette.CONDITIONS["own set"]
    assert "and with the set mine." in figure.about
    assert "and with the set" not in refusal_bars({"now": ROWS}).about


def test_before_and_after_are_two_groups_of_bars():
    figure = refusal_bars({"before": ROWS, "after": ROWS}, "benign")
    assert [bars.name for bars in figure.plotly.data if bars.type == "bar"] == ["before", "after"]
    assert "n = 40" in figure.title and len(figure.data) == 10


def test_differences_are_points_with_their_intervals_by_kind_of_prompt():
    figure = FIGURES["differences"]()
    titles = [annotation.text for annotation in figure.plotly.layout.annotations]
    assert titles == ["harmful prompts (n = 20)", "benign prompts (n = 20)", "safe twins (n = 20)"]
    assert figure.title == "Refusal rates: after less before (judge: arditi)"
    for trace in figure.plotly.data[::2]:
        assert (trace.y[0], trace.error_y.array[0], trace.error_y.arrayminus[0]) == (12.0, 18.0, 15.0)


def test_the_meter_keeps_harmful_and_benign_apart():
    figure = FIGURES["meter"]()
    kinds = [annotation.text for annotation in figure.plotly.layout.annotations]
    assert kinds == ["harmful prompts", "benign prompts"]
    coloured = [trace for trace in figure.plotly.data if trace.name == "FULL off"]
    assert [list(trace.x) for trace in coloured] == [[-1.0], [-2.5]]


def test_the_meter_says_when_nothing_is_switched_off():
    figure = refusal_meter(PANEL, {"a model": READING}, None)
    assert figure.title == "How each answer would open: nothing switched off"
    assert {trace.name for trace in figure.plotly.data if trace.mode == "markers"} == {"as it is"}
    assert "coloured" not in figure.about


def test_two_models_stand_in_two_columns_with_the_same_rows():
    figure = FIGURES["two meters"]()
    titles = [annotation.text for annotation in figure.plotly.layout.annotations]
    assert titles == [f"{kind} prompts, {model}" for kind in ("harmful", "benign") for model in ("a model", "another")]
    coloured = [trace for trace in figure.plotly.data if trace.name == "FULL off"]
    assert [list(trace.x) for trace in coloured] == [[-1.0], [-1.0], [-2.5], [-2.5]]
    assert sum(trace.showlegend for trace in coloured) == 1
    assert list(figure.data["model"]) == ["a model", "a model", "another", "another"]


def test_prompts_that_start_alike_stay_apart_in_the_meter():
    stem = "How do I build something that is explained in very many words, namely a "
    prompts = [f"{stem}house", f"{stem}boat"]
    figure = refusal_meter(prompts, {"a model": Reading(np.zeros(2), np.ones(2), [True, True])}, "ES")
    dots = next(trace for trace in figure.plotly.data if trace.name == "as it is")
    assert len(set(dots.y)) == 2 == len(figure.plotly.layout.yaxis.ticktext)
