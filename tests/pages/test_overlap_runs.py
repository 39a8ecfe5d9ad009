"""The Overlap page: its background job, and a model beside its base."""

import numpy as np
import pytest

from safeneuron.overlap.keeping import keep_arrays
from safeneuron.overlap.material import material_of
from safeneuron.overlap.start import KIND, NOT_COMPARED, PHASES
from safeneuron.overlap.writing import READINGS, _depends
from safeneuron.runs import starting, store
from safeneuron.ui.marked_text import plain
from tests.pages.overlap_readings import LAYERS, WIDTH, drawn, keep_records, part, texts


@pytest.fixture
def launched(monkeypatch):
    """The jobs that were started: their targets, by run. Nothing works on them."""
    found = {}
    monkeypatch.setattr(starting, "launch", lambda run, target: found.update({run: target}))
    return found


def test_all_parts_are_started_in_the_background_with_their_cost(visit, launched, no_model):
    no_model()
    at = part(visit("overlap"), "Layers")
    assert any("built-in prompts, read at last: 800 prompts to read, " in found.value for found in at.main.markdown)
    at.button(key="overlap_start").click().run()
    assert not at.exception and not at.error
    ((run, target),) = launched.items()
    asked = store.get_json(run, "settings")
    assert target == "safeneuron.overlap.job:run"
    assert asked["parts"] == ["categories", "layers", "writing", "stability"] and len(asked["prompts"]["benign"]) == 2
    assert any(plain("Overlap: categories, layers") in found.value for found in at.main.markdown)
    assert not any("Run in progress" in found.value for found in at.sidebar.markdown)
    assert all(button.key != "overlap_start" for button in at.button)
    at.button(key="cancel_run").click().run()
    assert store.cancel_requested(run)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda run: store.fail(run, "The disk is full."), "The last one failed: The disk is full. What it read"),
        (store.cancelled, "The last one was cancelled. What it read is kept"),
        (store.finish, "The last one could not compare Categories: They are too few."),
    ],
)
def test_how_the_last_one_ended_is_said_where_it_matters(visit, no_model, end, said):
    no_model()
    run = store.create_run("an analysis", KIND, {}, PHASES).id
    if end is store.finish:
        store.put_json(run, NOT_COMPARED, {"categories": "They are too few."})
    end(run)
    at = part(visit("overlap"), "Layers")
    assert any(said in found.value for found in at.main.caption)


def test_without_another_model_the_part_on_runs_says_how_to_get_one(visit, no_model):
    no_model()
    at = part(visit("overlap"), "Runs")
    assert drawn(at) == 0 and "Train one on the Training page" in at.info[0].value


def test_another_model_stands_beside(visit, second_model, read, no_model):
    keep_records("trained")
    no_model()
    at = visit("overlap", compare=second_model)
    assert drawn(at) == 2
    assert "FULL of run:aaaaaaaa share 0 neurons of 5 and 1" in texts(at)
    at = part(at, "Runs")
    assert drawn(at) == 2 and "run:aaaaaaaa keeps 0 of 5 safety neurons and has 1" in texts(at)
    assert list(at.dataframe[0].value["kept"]) == ["0 of 5"]
    at.selectbox(key="layer").set_value(1).run()
    assert drawn(at) == 2


def test_what_moved_in_categories_probes_and_writing(visit, second_model, read, no_model):
    keep_records("trained")
    generator = np.random.default_rng(1)
    for model in ("tiny", "trained"):
        values = {
            f"{reading} {kind}": generator.standard_normal((LAYERS, WIDTH)).astype(np.float32)
            for reading in READINGS
            for kind in ("harmful", "benign")
        }
        keep_arrays(values, *_depends(material_of(model)))
    no_model()
    at = part(visit("overlap"), "Runs")
    at.segmented_control(key="overlap_moved").set_value("Categories").run()
    assert drawn(at) == 2 and "In the base two categories share" in texts(at) and "In run:aaaaaaaa" in texts(at)
    assert list(at.dataframe[0].value["model"])[1:] == ["run:aaaaaaaa"]
    at.segmented_control(key="overlap_moved").set_value("Writing").run()
    assert drawn(at) == 1 and "In run:aaaaaaaa its own write" in texts(at)
    at.segmented_control(key="overlap_moved").set_value("Probes").run()
    assert drawn(at) == 0
    at.button(key="overlap_carry").click().run(timeout=300)
    assert drawn(at) == 1 and "In run:aaaaaaaa its own in" in texts(at)


def test_a_run_that_has_not_read_the_prompts_is_offered(visit, second_model, read, no_model):
    no_model()
    at = part(visit("overlap"), "Runs")
    assert drawn(at) == 0 and "tiny, trained" in at.info[0].value and "reads 800 prompts once" in at.info[0].value
