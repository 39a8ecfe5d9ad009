"""Presets say what they promise, and every field can be changed after them."""

import pytest

from safeneuron.errors import UserError
from safeneuron.pace import ROUGHLY
from safeneuron.training.cost import work_of
from safeneuron.training.presets import CONTROLS, PRESETS, settings_of
from safeneuron.training.settings import TrainingSettings


def test_the_paper_is_the_papers():
    settings, frozen = settings_of(["paper"], {})
    dpo = settings.dpo
    assert (dpo.beta, dpo.learning_rate, dpo.weight_decay, dpo.epochs) == (0.1, 5e-6, 0.05, 3)
    assert dpo.forward_zeroing and settings.safety_share == 0.3 and frozen == "{}"
    assert settings.harmful_pairs / (settings.harmful_pairs + settings.twin_pairs + settings.benign_pairs) == 0.3
    # 55,600 pairs, as many as the paper has, 32 a step.
    assert settings.for_pairs(55_600).dpo.max_steps == 3 * 1738


def test_a_laptop_run_takes_less_than_half_an_hour():
    """At the pace of one idle core, which is the run's share of two, from a model that nobody has scored yet."""
    settings, _ = settings_of(["laptop"], {})
    work = work_of("unknown", None, settings)
    seconds = ROUGHLY["run opening"] + ROUGHLY["run answer"] * work.answers + ROUGHLY["run reference"] * work.pairs
    seconds += ROUGHLY["run pair"] * work.trained_pairs + ROUGHLY["run scoring"] * work.scorings
    assert 300 < seconds < 1800


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_controls_differ_from_the_run_in_what_is_frozen_only(preset):
    run, _ = settings_of([preset], {"seed": 7})
    plain, nothing = settings_of([preset, "plain-dpo"], {"seed": 7})
    random, others = settings_of([preset, "random-neurons"], {"seed": 7})
    assert nothing.format("FULL") == "ORI" and others.format("FULL") == "random(FULL)"
    assert random == run != plain
    assert plain.to_json()["dpo"] | {"forward_zeroing": True} == run.to_json()["dpo"]


def test_every_field_can_be_changed_after_a_preset():
    settings, _ = settings_of(["paper"], {"max_steps": 7, "seed": 3, "twin_pairs": 1})
    assert settings.for_pairs(100).dpo.max_steps == 7, "who says steps does not mean the preset's epochs"
    assert (settings.dpo.seed, settings.twin_pairs, settings.dpo.learning_rate) == (3, 1, 5e-6)
    assert settings_of(["paper"], {"max_steps": 7, "epochs": 2})[0].dpo.epochs == 2
    assert settings_of(["laptop", "standard"], {})[0].dpo.max_steps == 40, "the standard one changes nothing"
    assert settings_of([], {}) == (TrainingSettings(), "{}")


def test_names_are_told_apart_and_unknown_ones_refused():
    names = [preset.name for preset in (*PRESETS, *CONTROLS)]
    assert len(set(names)) == len(names)
    with pytest.raises(UserError, match="There is no preset 'papr'; give one of standard, laptop, paper, plain-dpo"):
        settings_of(["papr"], {})


def test_short_comparisons_count_as_fewer_pairs():
    laptop, _ = settings_of(["laptop"], {})
    whole, _ = settings_of(["laptop"], {"compared_tokens": 0, "answer_tokens": 64})
    assert work_of("unknown", None, whole).trained_pairs == 320
    assert work_of("unknown", None, laptop).trained_pairs == pytest.approx(0.63 * 320, abs=1)
