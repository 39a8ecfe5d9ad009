"""Model: the self-check. Robustness: the five bars, and before and after a run."""

import json
import shutil

import pandas as pd
import pytest
from safetensors.numpy import load_file

from safeneuron.errors import UserError
from safeneuron.models import fit, parity
from safeneuron.models.card import CARD
from safeneuron.models.memory import Memory
from safeneuron.models.parity_report import TOLERANCES, ParityReport, keep_parity, kept_parity
from safeneuron.refusal.rates import rate
from safeneuron.robustness import CONDITIONS, ConditionResult
from safeneuron.runs import store
from safeneuron.sizes import size_words
from safeneuron.training.rounds import PHASES
from safeneuron.training.start import KIND
from tests.pages.conftest import keep_statistics
from tests.tiny_gguf import write_gguf


@pytest.fixture
def machine(monkeypatch):
    """Return a function that leaves this machine so many bytes of free memory."""
    return lambda free: monkeypatch.setattr(fit, "memory", lambda where: Memory("memory", free, 10**9))


def test_the_self_check_runs_and_turns_green(visit):
    at = visit("model")
    at.button(key="run_self_check").click().run()
    assert not at.exception and not at.error
    assert kept_parity("tiny").passed
    assert "Passed" in at.success[0].value
    assert list(at.table[-1].value["verdict"]) == ["agrees"] * len(TOLERANCES)
    assert any(found.value == "A neuron of this model is silu(gate) × up, without biases." for found in at.caption)


def test_work_that_is_refused_leaves_its_sentence_and_no_stop_button(visit, monkeypatch):
    def refuse(loaded):
        raise UserError("It cannot be checked; take another.")

    monkeypatch.setattr(parity, "check_parity", refuse)
    at = visit("model")
    at.button(key="run_self_check").click().run()
    assert not at.exception and [found.value for found in at.error] == ["It cannot be checked; take another."]
    assert "Stop" not in [found.label for found in at.button]


def test_what_was_not_compared_is_neither_green_nor_red(visit):
    keep_parity("tiny", ParityReport(0.0, 0.0, 0.0, 0.0, 0.0, None, None, 8, "TransformerLens has no bridge for Tiny"))
    at = visit("model")
    assert not at.exception and not at.error
    assert "a hook and zeroed columns give the same numbers" in at.success[0].value
    assert list(at.table[-1].value["verdict"]) == ["agrees"] * 5 + ["not compared"] * 2
    assert "but not with TransformerBridge: TransformerLens has no bridge for Tiny." in at.info[0].value
    assert any("Self-check passed in part" in found.value for found in at.sidebar.markdown)


def test_a_model_that_cannot_read_is_warned_of(visit):
    keep_parity(
        "tiny", ParityReport(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8, cannot_read="This model finds nothing likely.")
    )
    at = visit("model")
    assert not at.exception and at.success
    assert "This model finds nothing likely." in [found.value for found in at.warning]


def test_a_bridge_that_disagrees_is_red(visit):
    keep_parity("tiny", ParityReport(0.0, 0.0, 0.0, 0.0, 0.0, None, None, 8, bridge_disagrees="it has 41 neurons"))
    at = visit("model")
    assert not at.exception and not at.info
    assert "Failed" in at.error[0].value and "it has 41 neurons." in at.error[1].value
    assert list(at.table[-1].value["verdict"]) == ["agrees"] * 5 + ["differs"] * 2
    assert any("Self-check failed" in found.value for found in at.sidebar.markdown)


def test_memory_is_reckoned_before_the_model_is_open_and_measured_after(visit, metric, home):
    at = visit("model")
    weights = sum(tensor.nbytes for tensor in load_file(home / "tiny" / "model.safetensors").values())
    assert metric(at, "Memory once open") == size_words(weights)
    at.button(key="run_self_check").click().run()
    labels = [found.label for found in at.metric]
    assert "Memory" in labels and "Memory once open" not in labels


def test_memory_that_cannot_be_known_yet_is_said_in_words(visit, metric, home, finished_run):
    assert metric(visit("model", model="smollm2-135m-instruct"), "Memory once open") == "known once prepared"
    # What the fixture leaves of the run's model is its card.
    assert metric(visit("model", model=f"run:{finished_run[:8]}"), "Memory once open") == "weights missing"


def test_a_gguf_file_that_does_not_fit_is_not_converted_unless_the_person_insists(visit, make_tiny, home, machine):
    path = home / "small.gguf"
    write_gguf(make_tiny("llama"), path)
    machine(0)
    at = visit("model", model=str(path))
    assert "Converting takes" in at.warning[0].value
    assert "prepare" not in [found.key for found in at.button]
    assert list(at.table[0].value["fits"])[:3] == ["no", "yes", "no"]
    at.checkbox[0].check().run()
    at.button(key="prepare").click().run()
    assert not at.exception and not at.error
    # Random weights are warned of beside the self-check; what is gone is the word that it does not fit.
    assert not any("Converting takes" in found.value for found in at.warning)
    assert "run_self_check" in [found.key for found in at.button]


def test_the_five_bars_are_computed_once(visit):
    at = visit("robustness")
    # ES, SAS and FULL are the same five neurons here, so three sets of answers make five bars.
    button = at.button(key="evaluate")
    # With 24 by which incoherent answers are told.
    assert "168 answers (about" in button.label
    button.click().run()
    assert not at.exception and not at.error
    assert len(at.get("plotly_chart")) == 3
    for title in ("Harmful refused", "Benign refused", "Safe twins refused"):
        assert any(f"{title} (n = 16, judge: arditi" in text.value for text in at.markdown)
    assert any("may differ by chance alone" in text.value for text in at.caption)
    assert "evaluate" not in [found.key for found in at.button]
    again = visit("robustness")
    assert len(again.get("plotly_chart")) == 3


@pytest.fixture
def finished_run(home, tiny_model) -> str:
    """A finished run with its model's card, tables and answers, as the job leaves them."""
    run = store.create_run("tiny, FULL frozen", KIND, {"max_steps": 2}, PHASES)
    rates = [rate(0.5, 2, "arditi")] * 2
    results = [ConditionResult(name, 5, *rates, draws=1, twin_refusal=rates[0]) for name in CONDITIONS]
    rows = [result.to_row() for result in results]
    answers = pd.DataFrame(
        {
            "condition": condition,
            "draw": 0,
            "kind": kind,
            "prompt": prompt,
            "answer": "No.",
            "refused": prompt == "How?",
            "because": None,
        }
        for condition in CONDITIONS
        for kind in ("harmful", "benign", "twin")
        for prompt in ("How?", "Why?")
    )
    for name in ("before", "static", "adaptive"):
        store.put_json(run.id, name, {"model": "tiny", "rows": rows})
        store.put_table(run.id, f"{name}_answers", answers)
    store.put_json(run.id, "frozen", {"slices": 15, "max_abs_diff": 0.0, "identical": True})
    store.put_json(run.id, "counts", {"parent": {"FULL": 5}, "trained": {"FULL": 3}})
    store.finish(run.id)
    folder = home / "models" / run.id
    folder.mkdir(parents=True)
    facts = {"title": "tiny, trained", "fingerprint": "trained", "n_layers": 3, "d_mlp": 40, "origin": "A run."}
    (folder / CARD).write_text(json.dumps(facts | {"parent": tiny_model}))
    keep_statistics(home, "trained", planted={(1, 1)})
    return run.id


def test_a_run_is_shown_before_and_after(visit, metric, finished_run):
    at = visit("robustness", model=f"run:{finished_run[:8]}")
    assert not at.exception and not at.error
    assert any("Before and after:" in found.value for found in at.subheader)
    assert metric(at, "Frozen slices") == "15" and metric(at, "Largest change in them") == "0"
    assert (metric(at, "FULL before"), metric(at, "FULL after")) == ("5 neurons", "3 neurons")
    assert len(at.get("plotly_chart")) == 4
    assert any("Refusal rates: after less before" in text.value for text in at.markdown)
    at.segmented_control(key="after_sets").set_value("adaptive").run()
    assert not at.exception
    texts = [found.label for found in at.expander if found.label.startswith("The answers behind")]
    assert len(texts) == 3


def test_the_models_of_finished_runs_are_in_the_menu(visit, finished_run):
    assert f"run:{finished_run[:8]}" in visit("model").selectbox(key="model").options


def test_two_models_are_compared(visit, finished_run):
    at = visit("robustness", compare=f"run:{finished_run[:8]}")
    assert not at.exception
    label = at.button(key="evaluate").label
    assert label.startswith(f"Compute the bars of tiny, trained (run:{finished_run[:8]}) and tiny: 336 answers")


def test_without_scores_the_page_offers_to_compute_them(visit):
    at = visit("robustness", model="smollm2-135m-instruct")
    assert [found.key for found in at.button] == ["score_neurons"]


def test_the_model_page_shows_two_models_side_by_side(visit, finished_run, tiny_folder, home, monkeypatch):
    for part in tiny_folder.glob("*.*"):
        if part.name != CARD:
            shutil.copy(part, home / "models" / finished_run)
    at = visit("model", compare=f"run:{finished_run[:8]}")
    assert not at.exception and not at.error
    facts = at.table[0].value.set_index("")
    assert list(facts.columns) == ["tiny", f"tiny, trained (run:{finished_run[:8]})"]
    assert list(facts.loc["FULL neurons"]) == ["5", "1"]
    at.button(key="compare_weights").click().run()
    assert not at.exception and not at.error
    assert "compare_weights" not in {found.key for found in at.button}
    shown = {found.label: found.value for found in at.metric}
    assert shown["Neurons whose weights differ"] == "0 of 120"
    assert shown["of them in the set in hand, FULL"] == "0 of 5"


def test_the_model_page_says_what_fits(visit):
    at = visit("model")
    costs = at.table[0].value
    assert list(costs["fits"]) == ["yes"] * 4 and list(costs["what would"]) == ["—"] * 4


def test_what_does_not_fit_is_not_begun_unless_the_person_insists(visit, monkeypatch):
    from safeneuron.models import fit
    from safeneuron.models.memory import Memory

    monkeypatch.setattr(fit, "memory", lambda _: Memory("memory", 1000, 2000))
    at = visit("model")
    at.button(key="run_self_check").click().run()
    assert "Loading takes about" in at.warning[0].value and kept_parity("tiny") is None
    robustness = visit("robustness")
    assert robustness.button(key="evaluate").disabled
    robustness.checkbox(key="anyway_tiny_Generating").check().run()
    assert not robustness.button(key="evaluate").disabled
