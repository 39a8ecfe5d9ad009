"""The Robustness page's degradation curves and pruning: started in the background, and drawn from what is kept."""

import pytest

from safeneuron.degradation.curve import Point
from safeneuron.degradation.kept import add_point, begin
from safeneuron.degradation.plan import kept_plan
from safeneuron.degradation.settings import DegradationSettings
from safeneuron.degradation.start import KIND, PHASES
from safeneuron.neurons import NeuronSet
from safeneuron.pruning.result import PruningResult, keep_result, keep_subset
from safeneuron.pruning.search import Pruned
from safeneuron.pruning.settings import PruningSettings
from safeneuron.refusal.rates import rate
from safeneuron.runs import starting, store

SETTINGS = DegradationSettings(score="SAS", most=16, steps=3, generated=False)


@pytest.fixture
def launched(monkeypatch):
    """The jobs that were started: their targets, by run. Nothing works on them."""
    found = {}
    monkeypatch.setattr(starting, "launch", lambda run, target: found.update({run: target}))
    return found


def keep_curve(points, settings=SETTINGS):
    plan = kept_plan(settings, "tiny")
    begin(plan, "tiny")
    for one in plan.rounds[:points]:
        add_point(plan.fingerprint, Point(*one.key, {}, {"harmful": 1.0, "benign": -1.0, "twin": 0.0}, 2.0, 0.1))
    return plan


def button(at, key):
    return next(found for found in at.button if found.key == key)


def test_a_curve_is_started_as_a_job_with_its_cost_said_before(visit, launched, no_model):
    at = visit("robustness")
    no_model()
    assert not at.exception and not at.error
    # 9 steps and ORI, and five controls at two of those that leave half of each layer.
    assert any("20 points, 8 answers to generate: about" in found.value for found in at.markdown)
    at.segmented_control(key="curve_way").set_value("answers").run()
    assert any("answers to generate" in found.value and " 8 answers" not in found.value for found in at.markdown)
    at.select_slider(key="curve_most").set_value(16).run()
    button(at, "start_curve").click().run()
    assert not at.exception and not at.error
    ((run, target),) = launched.items()
    assert target == "safeneuron.degradation.job:run"
    asked = store.get_json(run, "settings")
    assert asked["degradation"]["most"] == 16 and asked["degradation"]["generated"] and asked["among"] is None
    # It stands on the page instead of in the sidebar, and a second one would wait for it.
    assert not button(at, "start_curve").disabled and not button(at, "start_pruning").disabled
    assert any("tiny is waiting. The curve waits for its turn" in found.value for found in at.caption)
    assert any("Degradation curve, SAS, tiny" in found.value for found in at.main.markdown)
    assert not any("Run in progress" in found.value for found in at.sidebar.markdown)
    button(at, "cancel_run").click().run()
    assert store.cancel_requested(run)


def test_only_the_neurons_of_the_set_in_hand_in_the_order_of_a_category(visit, launched):
    at = visit("robustness")
    at.segmented_control(key="curve_among").set_value("the set in hand").run()
    at.selectbox(key="curve_prompts").set_value("category: violence").run()
    button(at, "start_curve").click().run()
    (run,) = launched
    assert len(store.get_json(run, "settings")["among"]["neurons"]) == 5
    assert store.get_run(run).name == "Degradation curve, SAS in FULL, category: violence, tiny"


def test_kept_curves_are_drawn_over_each_other_without_the_model(visit, no_model):
    at = visit("robustness")
    keep_curve(18)
    keep_curve(18, DegradationSettings(score="ES", most=16, steps=3, generated=False))
    no_model()
    at.run()
    chosen = at.multiselect[0]
    assert len(chosen.options) == 2 and len(chosen.value) == 1
    charts = len(at.get("plotly_chart"))
    chosen.set_value(chosen.options if chosen.value == [] else [*kept_names()]).run()
    assert not at.exception and not at.error
    assert len(at.get("plotly_chart")) == charts == 1
    assert any("2 curves (n = 40 harmful)" in found.value for found in at.markdown)


def kept_names():
    from safeneuron.degradation.kept import kept_curves

    return [curve.fingerprint for curve in kept_curves()]


def test_a_stopped_curve_says_what_is_kept_and_goes_on(visit, launched):
    at = visit("robustness")
    plan = keep_curve(2)
    at.run()
    assert any(f"2 of {len(plan.rounds)} points are kept" in found.value for found in at.caption)
    button(at, f"go_on_{plan.fingerprint}").click().run()
    (run,) = launched
    assert store.get_json(run, "settings")["degradation"] == SETTINGS.to_json()


def test_a_growing_curve_keeps_its_name_in_the_menu(visit, no_model):
    """Or the browser would forget that it is chosen, at each of its points."""
    at = visit("robustness")
    no_model()
    keep_curve(0)
    at.run()
    (before,) = at.multiselect[0].options
    assert at.multiselect[0].value and any("as soon as its first point" in found.value for found in at.caption)
    keep_curve(3)
    at.run()
    assert at.multiselect[0].options == [before] and at.multiselect[0].value
    assert len(at.get("plotly_chart")) == 1


def test_while_a_curve_is_measured_none_goes_on_beside_it(visit, launched):
    at = visit("robustness")
    plan = keep_curve(2)
    at.run()
    button(at, "start_curve").click().run()
    assert not any(found.key == f"go_on_{plan.fingerprint}" for found in at.button)


def test_pruning_is_started_and_its_subset_taken_in_hand(visit, launched, metric, no_model):
    at = visit("robustness")
    assert any("up to 14 ablations to try, and 160 answers" in found.value for found in at.markdown)
    full = NeuronSet("FULL", "tiny", (3, 40), frozenset({(0, 1), (0, 2), (1, 30), (2, 7), (2, 8)}))
    shares = dict.fromkeys(sorted(full.neurons), 0.2)
    found = Pruned(shares, ((0, 1), (2, 7)), -3.0, -2.8)
    rates = {name: rate(0.5, 40, "arditi") for name in ("ORI", "whole set", "subset", "RANDOM")}
    result = PruningResult(full, "tiny", PruningSettings(), found, rates, "FULL-pruned", 0.0)
    keep_subset(full, result.subset)
    keep_result(result)
    no_model()
    at.run()
    assert metric(at, "Neurons that matter") == "2 of 5" and metric(at, "Effect kept") == "93%"
    assert any("found before" in found.value for found in at.markdown)
    assert not any(found.key == "start_pruning" for found in at.button)
    button(at, "take_pruned").click().run()
    assert not at.exception and not at.error
    assert metric(at, "Set in hand: FULL-pruned") == "2 neurons"
    assert not any("found before" in found.value for found in at.markdown)
    button(at, "start_pruning").click().run()
    (run,) = launched
    assert len(store.get_json(run, "settings")["neurons"]["neurons"]) == 2


def test_a_job_of_another_page_is_no_run_of_the_training_page(visit):
    run = store.create_run("Degradation curve, SAS, tiny", KIND, {}, PHASES)
    store.finish(run.id)
    at = visit("training")
    assert not at.exception and any("No run yet" in found.value for found in at.info)


def test_a_model_that_does_not_fit_is_asked_about_once_for_the_whole_page(visit, monkeypatch):
    from safeneuron.models import fit
    from safeneuron.models.memory import Memory

    monkeypatch.setattr(fit, "memory", lambda _: Memory("memory", 1000, 2000))
    at = visit("robustness")
    buttons = ("evaluate", "start_curve", "start_pruning")
    assert not at.exception and all(button(at, key).disabled for key in buttons)
    at.checkbox(key="anyway_tiny_Generating").check().run()
    assert not any(button(at, key).disabled for key in buttons)
