"""The Robustness page's attack that looks again: carried out once, kept, and drawn beside the compared model's."""

import json

from safeneuron.iterative_pruning import AttackSettings, IterativePruning, PruningRound, _keep
from safeneuron.neurons import NeuronSet
from safeneuron.prompts import builtin
from safeneuron.refusal.rates import rate

OTHER = "tiny, trained (run:aaaaaaaa)"
THRESHOLDS = {"ES": 2.0, "SAS": 2.5}


def keep_attack(model, prompts, rounds=5):
    none = NeuronSet("FULL", model, (3, 40), frozenset())
    some = NeuronSet("FULL", model, (3, 40), frozenset({(0, 1)}))
    found = [PruningRound(0, 0, none, rate(1.0, 6, "arditi"))]
    found += [PruningRound(number, 1, some, rate(0.5, 6, "arditi")) for number in range(1, rounds + 1)]
    _keep(
        IterativePruning(model, tuple(found), rate(1.0, 6, "arditi")),
        prompts,
        AttackSettings(thresholds=THRESHOLDS),
    )


def charts(at, name):
    return [chart for chart in map(spec, at.get("plotly_chart")) if name in [trace.get("name") for trace in chart]]


def spec(chart):
    return json.loads(chart.proto.spec)["data"]


def test_an_attack_is_carried_out_once_and_drawn(short_prompts, visit):
    at = visit("robustness")
    button = at.button(key="attack")
    # Five rounds and the model as it is and the control, of six prompts.
    assert "Attack tiny in 5 rounds: 42 answers (at most about" in button.label
    button.click().run()
    assert not at.exception and not at.error
    (drawn,) = charts(at, "tiny")
    assert len(drawn[0]["y"]) >= 2
    assert any("of 6" in found.value or "n = 6" in found.value for found in at.caption)
    assert "attack" not in [found.key for found in at.button]
    again = visit("robustness")
    assert charts(again, "tiny") == [drawn] and "attack" not in [found.key for found in again.button]


def test_two_models_are_drawn_over_each_other_without_opening_them(short_prompts, visit, second_model, no_model):
    prompts = builtin.harmful("test").head(16)
    for model in ("tiny", "trained"):
        keep_attack(model, prompts, 5 if model == "tiny" else 2)
    no_model()
    at = visit("robustness", compare=second_model)
    assert not at.exception and not at.error
    (drawn,) = charts(at, "tiny")
    assert [trace["name"] for trace in drawn] == [OTHER, f"{OTHER}, RANDOM", "tiny", "tiny, RANDOM"]
    said = [found.value for found in at.caption if "neurons off" in found.value]
    assert (
        "1 neurons off after round 2: 50.0%" in said[0]
        and "nothing new was found after that" in said[0]
        and "nothing new" not in said[1]
    )


def test_what_is_missing_of_two_models_is_offered_for_that_alone(short_prompts, visit, second_model, no_model):
    keep_attack("trained", builtin.harmful("test").head(16))
    no_model()
    at = visit("robustness", compare=second_model)
    assert at.button(key="attack").label.startswith("Attack tiny in 5 rounds")
    assert charts(at, OTHER)
