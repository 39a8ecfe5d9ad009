"""A deleted run is gone everywhere, and nobody else loses anything without being told."""

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import catalogue, open_model
from safeneuron.models.folder import save_folder
from safeneuron.models.sources.runs import model_folder
from safeneuron.runs import curves, store, tracking
from safeneuron.runs.deleting import delete_run, deletion_of

PHASES = {"Working": 1.0}


def a_run(end=store.finish, **parameters):
    run = store.create_run("a name", "test", parameters, PHASES).id
    curves.log_metrics(run, 1, {"loss": 1.0})
    store.put_json(run, "facts", {"a": 1})
    if end:
        end(run)
    return run


def a_model(run, llama, parent):
    save_folder(llama.model, llama.tokenizer, model_folder(run), {"title": "a model", "origin": "x", "parent": parent})


def test_everything_of_a_run_goes_and_the_others_stay(home, llama):
    first, second = a_run(), a_run()
    a_model(first, llama, "x")
    found = deletion_of(first)
    assert found.model and found.size > model_folder(first).joinpath("model.safetensors").stat().st_size
    assert found.question.startswith(f"Delete a name ({first[:8]}) with its trained model")
    delete_run(first[:8])
    assert [info.id for info in store.list_runs()] == [second]
    assert not list(home.glob(f"**/*{first}*"))
    assert tracking._client().get_run(first).info.lifecycle_stage == "deleted"
    assert tracking._client().get_run(second).info.lifecycle_stage == "active"
    assert not [card for card in catalogue() if card.source == f"run:{first}"]
    with pytest.raises(UserError, match="There is no run"):
        delete_run(first)


def test_a_run_at_work_is_not_deleted(home):
    run = a_run(end=None)
    with pytest.raises(UserError, match="still at work; cancel it"):
        delete_run(run)
    assert store.get_run(run).active


def test_models_trained_from_it_are_named_and_go_on_working(home, llama):
    parent = a_run()
    child = a_run(model=f"run:{parent[:8]}")
    stopped = a_run(lambda run: store.fail(run, "died"), model=f"run:{parent[:8]}#pirate")
    a_model(parent, llama, "x")
    a_model(child, llama, f"run:{parent}")
    found = deletion_of(parent)
    assert (found.heirs, found.stranded) == (("a model",), ("a name",))
    assert "goes on working" in found.question and "No longer resumable" in found.question
    at_work = a_run(end=None, model=f"run:{parent}")
    with pytest.raises(UserError, match="is training this run's model"):
        delete_run(parent)
    store.fail(at_work, "died")
    delete_run(parent)
    assert open_model(f"run:{child}").shape == llama.shape
    assert {info.id for info in store.list_runs()} == {child, stopped, at_work}


def test_a_run_whose_state_is_damaged_can_be_deleted(home):
    run = a_run()
    (store.run_folder(run) / "status.json").write_text("{")
    delete_run(run)
    assert store.list_runs() == [] and not (home / "runs" / run).exists()


def test_one_that_mlflow_does_not_know_can_be_deleted(home):
    run = a_run()
    tracking._client().delete_run(run)
    delete_run(run)
    assert store.list_runs() == []
