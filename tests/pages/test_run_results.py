"""What a run changed, below it on the Training page: from what is kept, and offered with its cost where it is not."""

import json
import shutil

import pandas as pd
import pytest

from safeneuron.degradation.curve import Point
from safeneuron.degradation.kept import add_point, begin
from safeneuron.degradation.plan import kept_plan
from safeneuron.degradation.settings import DegradationSettings
from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.rates import rate
from safeneuron.robustness import ConditionResult
from safeneuron.runs import starting, store
from safeneuron.training.rounds import PHASES
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets
from safeneuron.training.start import KIND
from tests.pages.conftest import PLANTED, keep_statistics

FOUND_ANEW = {(0, 1), (1, 1), (1, 2)}


def keep(run, number, model, neurons):
    full = NeuronSet("FULL", model, (3, 40), frozenset(neurons))
    keep_safety_sets(run, RoundSets(number, model, {"ES": full, "SAS": full, "FULL": full}, 5))


def put_table(run, name, model, **rates):
    benign = rate(0.0, 20, "arditi")
    results = [ConditionResult(what, 5, rate(value, 40, "arditi"), benign, 1) for what, value in rates.items()]
    store.put_json(run, name, {"model": model, "rows": [one.to_row() for one in results]})
    store.put_table(run, f"{name}_answers", pd.DataFrame({"condition": list(rates)}))


@pytest.fixture
def running(home, tiny_model):
    """A run that has found the parent's sets."""
    parameters = {"max_steps": 2, "model": tiny_model, "pooling": "last", "threshold_ES": 2.0, "threshold_SAS": 2.5}
    run = store.create_run("tiny, FULL frozen", KIND, parameters, PHASES).id
    store.start(run)
    store.set_phase(run, "Training", 0.5)
    keep(run, 0, "tiny", PLANTED)
    return run


@pytest.fixture
def finished(running, home, tiny_folder):
    """The same run, come to its end, with its model in the workspace."""
    keep(running, 1, "trained", FOUND_ANEW)
    put_table(running, "before", "tiny", ORI=0.95, FULL=0.05, RANDOM=0.9)
    put_table(running, "static", "trained", ORI=1.0, FULL=0.8, RANDOM=0.95)
    put_table(running, "adaptive", "trained", ORI=1.0, FULL=0.6, RANDOM=0.95)
    folder = home / "models" / running
    shutil.copytree(tiny_folder, folder)
    (folder / CARD).write_text(
        json.dumps(json.loads((folder / CARD).read_text()) | {"title": "tiny, trained", "fingerprint": "trained"})
    )
    write_sums(folder)
    keep_statistics(home, "trained", planted=FOUND_ANEW)
    store.finish(running)
    return running


def spoken(at):
    """Return what every figure's heading says."""
    return [text.value for text in at.main.markdown if text.value.startswith("**")]


def curve_of(model, points=None):
    plan = kept_plan(DegradationSettings.quick(most=16, steps=3), model)
    begin(plan, model)
    for one in plan.rounds[:points]:
        add_point(plan.fingerprint, Point(*one.key, {}, {"harmful": 1.0, "benign": -1.0, "twin": 0.0}, 2.0, 0.1))


def test_a_finished_run_shows_what_it_changed_without_any_model(visit, finished, no_model):
    no_model()
    at = visit("training")
    assert not at.exception and not at.error
    titles = " ".join(spoken(at))
    assert "5 % before, 80 % after; its own FULL off: 60 % (n = 40, judge: arditi)" in titles
    assert "Of 5 safety neurons 1 are still in the set of 3 after round 1" in titles
    # The picture, the flow and the difference of the maps.
    assert len(at.get("plotly_chart")) == 3
    assert f"Difference of SAS of every neuron in tiny, trained (run:{finished[:8]}) minus tiny" in titles
    assert any("the safety neurons that are new, 2" in text.value for text in at.caption)


def test_links_open_other_pages_on_its_model_beside_the_parent(visit, finished, tiny_model):
    at = visit("training")
    links = {link.proto.page.split("/")[-1]: link.proto.query_string for link in at.get("page_link")}
    assert len(links) == 4
    for query in links.values():
        assert f"run%3A{finished[:8]}" in query and "compare=" in query


@pytest.mark.parametrize(
    ("view", "marked"), [("before", "before the run, 5"), ("after", "found anew after the run, 3")]
)
def test_the_map_can_be_seen_before_and_after(visit, finished, view, marked):
    at = visit("training")
    at.segmented_control(key="run_map").set_value(view)
    at.segmented_control(key="run_map_score").set_value("ES").run()
    assert not at.exception
    assert any(text.value.startswith("**ES of every neuron in tiny") for text in at.markdown)
    assert any(marked in text.value for text in at.caption)


def test_missing_curves_are_offered_with_their_cost_and_measured_in_the_background(visit, finished, monkeypatch):
    launched = []
    monkeypatch.setattr(starting, "launch", lambda *arguments: launched.append(arguments))
    curve_of("tiny")
    at = visit("training")
    assert [button.key for button in at.button if str(button.key).startswith("start_curve")] == ["start_curve_trained"]
    assert any("quick curve of tiny, trained" in text.value and "points" in text.value for text in at.markdown)
    assert len(at.get("plotly_chart")) == 4
    at.button(key="start_curve_trained").click().run()
    assert not at.exception
    ((run, target),) = launched
    asked = store.get_json(run, "settings")
    # What the parent's was asked.
    assert target == "safeneuron.degradation.job:run" and asked["degradation"]["most"] == 16
    assert asked["source"] == f"run:{finished}"
    assert at.button(key="start_curve_trained").disabled


def test_both_curves_are_drawn_over_each_other(visit, finished):
    curve_of("tiny")
    curve_of("trained")
    at = visit("training")
    assert not any(str(button.key).startswith("start_curve") for button in at.button)
    names = {trace["name"] for trace in json.loads(at.get("plotly_chart")[3].proto.spec)["data"]}
    assert {"SAS, to 16, quick · tiny", "SAS, to 16, quick · trained"} <= names


def test_a_run_in_progress_shows_what_it_has_found(visit, running):
    at = visit("training")
    assert not at.exception and not at.error
    assert any("Where the safety neurons lie" in text for text in spoken(at))
    assert any("once its first round has ended" in text.value for text in at.caption)
    assert not at.get("page_link")


def test_the_page_is_drawn_anew_when_a_run_has_measured_more(visit, running):
    at = visit("training")
    keep(running, 1, "trained", FOUND_ANEW)
    at.run()
    assert not at.exception
    assert any("Of 5 safety neurons 1 are still" in text for text in spoken(at))
    # Its model is not there before its end.
    assert any("Maps and curves of its model come once the run has ended." in text.value for text in at.caption)


def test_a_model_that_is_gone_is_said(visit, finished, home):
    shutil.rmtree(home / "models" / finished)
    at = visit("training")
    assert not at.exception and not at.error
    assert any("The run's model is not in this workspace, or not ready" in text.value for text in at.caption)


def test_the_runs_model_is_in_the_menu(visit, finished):
    at = visit("model")
    for page in ("model", "neurons", "overlap", "ablation", "training", "robustness"):
        at.switch_page(f"pages/{page}.py").run()
        assert f"run:{finished[:8]}" in at.sidebar.selectbox(key="model").options, page
