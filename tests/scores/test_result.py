"""A score's values are kept under everything that they depend on, and scores share their passes."""

from dataclasses import replace

import numpy as np
import pytest

from safeneuron import registry
from safeneuron.errors import UserError
from safeneuron.prompts.classes import prompt_classes
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores import result as results
from safeneuron.scores import score as declarations
from safeneuron.scores.option import Option
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import Score, scores
from safeneuron.scoring import compute_scores, score_table


def spread(evidence, options):
    """The range of each neuron's activation over harmful prompts, times an option."""
    record, _ = evidence.observed("record")
    return np.stack([np.ptp(record.layer(layer), axis=0) for layer in range(record.shape[1])]) * options["times"]


SPREAD = Score(
    name="Spread",
    title="spread",
    unit="activation",
    description="For this test.",
    source="nowhere",
    default_threshold=1.0,
    compute=spread,
    options=(Option("times", "Times", "A factor.", 1.0, bounds=(0.0, 10.0)),),
    observes=("record",),
)


@pytest.fixture(autouse=True)
def with_spread(monkeypatch):
    known = scores() | {"Spread": SPREAD}
    for module in (declarations, results):
        monkeypatch.setattr(module, "scores", lambda: known)


@pytest.fixture
def classes(prompts):
    return prompt_classes(PromptSet("bad", prompts[:3]), PromptSet("good", prompts[3:]))


@pytest.fixture
def forwards(llama):
    calls = []
    handle = llama.model.base_model.register_forward_pre_hook(lambda *_: calls.append(1))
    yield calls
    handle.remove()


def test_scores_on_the_same_prompts_share_a_pass(llama, classes, home, forwards):
    requests = [ScoreRequest(name, llama.fingerprint, classes) for name in ("ES", "SAS", "Spread")]
    assert [request.kept() for request in requests] == [None] * 3
    found = compute_scores(requests, lambda: llama)
    assert len(forwards) == 2
    table = score_table(llama, classes.harmful, classes.benign)
    assert len(forwards) == 2
    np.testing.assert_array_equal(found[0].values, table.values("ES"))
    np.testing.assert_array_equal(found[1].values, table.values("SAS"))


def test_what_was_computed_is_read_without_a_model(llama, classes, home):
    request = ScoreRequest("Spread", llama.fingerprint, classes)
    (first,) = compute_scores([request], lambda: llama)

    def opened():
        raise AssertionError("the model was opened")

    (again,) = compute_scores([request], opened)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.facts["options"] == {"times": 1.0}


def test_every_setting_has_a_name_of_its_own(llama, classes, prompts):
    request = ScoreRequest("Spread", llama.fingerprint, classes)
    other = prompt_classes(PromptSet("bad", prompts[:2]), PromptSet("good", prompts[3:]))
    changed = [
        replace(request, model="another"),
        replace(request, classes=other),
        replace(request, pooling="max"),
        replace(request, options={"times": 2}),
        replace(request, name="ES", options={}),
    ]
    names = {request.fingerprint, *(found.fingerprint for found in changed)}
    assert len(names) == 6
    turned = prompt_classes(PromptSet("x", prompts[:3][::-1]), PromptSet("y", prompts[3:]))
    assert replace(request, classes=turned, options={"times": "1"}).fingerprint == request.fingerprint
    assert replace(request, other="second").fingerprint == request.fingerprint, "it needs no second model"


def test_a_new_formula_is_not_shown_the_old_values(llama, classes, home, monkeypatch):
    request = ScoreRequest("Spread", llama.fingerprint, classes)
    compute_scores([request], lambda: llama)
    newer = scores() | {"Spread": replace(SPREAD, revision=2)}
    monkeypatch.setattr(results, "scores", lambda: newer)
    assert ScoreRequest("Spread", llama.fingerprint, classes).kept() is None


def test_the_selection_says_where_it_came_from(llama, classes, home):
    (found,) = compute_scores([ScoreRequest("Spread", llama.fingerprint, classes)], lambda: llama)
    threshold = float(np.median(found.values))
    chosen = found.select(threshold)
    np.testing.assert_array_equal(chosen.mask(), found.values > threshold)
    assert chosen.origin["threshold"] == threshold
    assert (chosen.origin["harmful"], chosen.origin["n_benign"]) == ("bad", 4)


def test_values_that_are_no_numbers_name_their_neuron(llama, classes, home, monkeypatch):
    def broken(evidence, options):
        values = np.zeros(llama.shape)
        values[1, 7] = np.inf
        return values

    known = scores() | {"Spread": replace(SPREAD, compute=broken)}
    monkeypatch.setattr(results, "scores", lambda: known)
    request = ScoreRequest("Spread", llama.fingerprint, classes)
    with pytest.raises(UserError, match="Spread of neuron 1:7 is inf"):
        compute_scores([request], lambda: llama)
    assert request.kept() is None


def test_what_cannot_be_asked_for(classes, monkeypatch):
    with pytest.raises(UserError, match="no score 'Nonsense'"):
        ScoreRequest("Nonsense", "model", classes)
    with pytest.raises(UserError, match="no option 'wrong'"):
        ScoreRequest("Spread", "model", classes, options={"wrong": 1})
    known = scores() | {"Spread": replace(SPREAD, needs_other=True)}
    monkeypatch.setattr(results, "scores", lambda: known)
    with pytest.raises(UserError, match="choose a second one"):
        ScoreRequest("Spread", "model", classes)


def test_damaged_values_say_what_to_do(llama, classes, home):
    request = ScoreRequest("Spread", llama.fingerprint, classes)
    compute_scores([request], lambda: llama)
    (request.folder / "values.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="kept values of Spread cannot be read; the damaged file is deleted"):
        request.kept()
    assert request.kept() is None
    assert len(compute_scores([request], lambda: llama)) == 1


def test_every_declared_score_can_be_drawn():
    registry.discover.cache_clear()
    for name, score in declarations.scores().items():
        assert name == score.name
        assert all((score.title, score.unit, score.description, score.source)), name
        assert 0 <= score.default_threshold <= score.highest_threshold, name
        for option in score.options:
            assert option.checked(option.default) == option.default
            assert bool(option.choices) != bool(option.bounds), (name, option.name)
            assert option.title and option.help
