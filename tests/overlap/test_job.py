"""The analysis as a background job: its cost said before, one pass for all parts, and what it leaves to be drawn."""

import json
import signal

import pytest

from safeneuron.models.catalogue import model_card
from safeneuron.observations.observation import observations
from safeneuron.overlap import job
from safeneuron.overlap.analysis import checked_parts, observed, passes_left, prompts_left
from safeneuron.overlap.material import RECORD, STREAM
from safeneuron.overlap.moved_probes import probes_kept
from safeneuron.overlap.representation import kept_representation
from safeneuron.overlap.stability import kept_stability
from safeneuron.overlap.start import KIND, NOT_COMPARED, PHASES, cost, material_from, material_json
from safeneuron.overlap.writing import kept_writing
from safeneuron.runs import store
from safeneuron.runs.starting import SETTINGS
from safeneuron.runs.worker import carry_out
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.training.summary import run_summary
from tests.overlap.test_material import material

PARTS = ["categories", "layers", "writing", "stability", "variations"]
THRESHOLDS = {"ES": 0.5, "SAS": 1.0}


def test_a_material_comes_back_from_json(llama):
    found = material(llama, "mean")
    again = material_from(llama.fingerprint, json.loads(json.dumps(material_json(found))))
    assert again.fingerprint == found.fingerprint and again.classes.harmful == found.classes.harmful


def test_parts_need_what_they_are_made_of():
    assert observed(["depth"], True) == {ACTIVATIONS} == observed(["categories"], False)
    assert observed(["categories", "layers"], True) == {ACTIVATIONS, RECORD, STREAM}
    assert observed(["runs"], False) == {ACTIVATIONS, RECORD, STREAM}
    assert "runs" not in checked_parts(None, False) and "variations" not in checked_parts(None, True)


def test_the_job_reads_once_and_leaves_every_part_to_be_drawn(home, model_folder, monkeypatch):
    monkeypatch.setattr(job, "require_parity", lambda loaded, progress: None)
    card = model_card(str(model_folder))
    found = material_from(card.fingerprint, material_json(material(card)))
    # 25 prompts once for all four parts, and once for each of nine variations.
    assert passes_left(card, found, PARTS[:4], True) == [25] and len(passes_left(card, found, PARTS, True)) == 10
    assert prompts_left(card, found, PARTS[:4], True) == 25 and prompts_left(card, found, PARTS, True) == 250
    assert cost([(card, found)], PARTS).startswith("250 prompts to read, 22 kB to keep in the workspace: about ")
    asked = {"sources": [card.source], "prompts": material_json(found), "parts": PARTS, "thresholds": THRESHOLDS}
    info = store.get_run(_carried_out(asked))
    assert (info.status, info.message) == ("finished", "")
    assert kept_representation(found) and kept_stability(found, THRESHOLDS) and kept_writing(found)
    assert prompts_left(card, found, PARTS, True) == 0 and cost([(card, found)], PARTS).startswith("all prompts")
    assert all(observations()[name].exists(target) for name in (RECORD, STREAM) for target in found.targets)
    assert "run reading" in json.loads((home / "paces.json").read_text())


def test_a_part_that_the_prompts_do_not_allow_does_not_stop_the_others_and_is_said(home, model_folder, monkeypatch):
    run, found = _of_no_category(["categories", "layers"], model_folder, monkeypatch)
    assert store.get_run(run).status == "finished" and kept_representation(found).categories == ()
    (name,) = run_summary(run)["not compared"]
    assert (
        name == "categories" and "choose prompts of two or more categories" in store.get_json(run, NOT_COMPARED)[name]
    )


def test_a_job_of_which_the_prompts_allow_nothing_fails_and_says_why(home, model_folder, monkeypatch):
    run, _ = _of_no_category(["categories"], model_folder, monkeypatch)
    info = store.get_run(run)
    assert info.status == "failed" and "choose prompts of two or more categories" in info.message
    assert run_summary(run)["not compared"] is None


def _of_no_category(parts, model_folder, monkeypatch):
    """Carry out a job over prompts without categories; return its run and the material."""
    monkeypatch.setattr(job, "require_parity", lambda loaded, progress: None)
    card = model_card(str(model_folder))
    asked = {"sources": [card.source], "parts": parts, "thresholds": THRESHOLDS}
    asked["prompts"] = material_json(material(card)) | {"categories": {}}
    return _carried_out(asked), material_from(card.fingerprint, asked["prompts"])


def _carried_out(asked):
    run = store.create_run("an analysis", KIND, {}, PHASES)
    store.put_json(run.id, SETTINGS, asked)
    before = signal.getsignal(signal.SIGTERM)
    carry_out(run.id, "safeneuron.overlap.job:run")
    signal.signal(signal.SIGTERM, before)
    return run.id


def test_models_beside_are_read_and_compared_too(home, model_folder, second_folder, monkeypatch):
    monkeypatch.setattr(job, "require_parity", lambda loaded, progress: None)
    cards = [model_card(str(folder)) for folder in (model_folder, second_folder)]
    asked = {"sources": [card.source for card in cards], "parts": ["runs"], "thresholds": THRESHOLDS}
    asked["prompts"] = material_json(material(cards[0]))
    run = _carried_out(asked)
    assert (store.get_run(run).status, store.get_run(run).message) == ("finished", "")
    base, other = (material_from(card.fingerprint, asked["prompts"]) for card in cards)
    assert kept_writing(base) and kept_writing(other) and probes_kept(base, {"other": other})
    assert not any(prompts_left(card, found, ["runs"], True) for card, found in zip(cards, (base, other), strict=True))


def test_progress_goes_along_the_steps_and_never_past_the_end():
    told = []
    along = job._Along(lambda step, fraction: told.append(fraction), 3)
    for step in ("open", "harmful", "benign", "one more"):
        along(step, 0.0)
        along(step, 1.0)
    assert told[:6] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1]) and told[6:] == pytest.approx([2 / 3, 1])


def test_without_models_to_compare_with_there_is_no_part_on_runs():
    from safeneuron.errors import UserError

    with pytest.raises(UserError, match="name them with --compare"):
        checked_parts(["runs"], False)
