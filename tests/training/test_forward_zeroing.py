import copy
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.forward_zeroing import ForwardZeroing, zeroed
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.settings import MaskedDPOSettings

PAIRS = tuple(PreferencePair(f"Question {n}?", "I cannot help.", f"First {'you ' * n} go on.") for n in range(4))
SETTINGS = MaskedDPOSettings(learning_rate=1e-3, max_steps=4, batch_size=2, warmup=0.0)


@pytest.mark.parametrize("share", [0.1, 0.25, 1 / 3, 0.5, 0.7, 1.0])
def test_a_share_of_any_number_of_steps_is_zeroed_evenly(share):
    turns = [zeroed(step, share) for step in range(300)]
    for end in range(1, 301):
        assert sum(turns[:end]) == int(end * share + 1e-9)


def test_no_share_zeroes_nothing():
    assert not any(zeroed(step, 0.0) for step in range(50))


def _losses(loaded, neurons, pairs=PAIRS, **changes):
    copied = replace(loaded, model=copy.deepcopy(loaded.model))
    logged = []
    settings = replace(SETTINGS, **changes)
    train_masked_dpo(copied, neurons, pairs, settings, on_metrics=lambda _, values: logged.append(values))
    return logged


def test_only_the_steps_whose_turn_it_is_are_zeroed(llama, some_neurons):
    neurons = some_neurons(llama)
    # Nothing is learned at this rate, so that the steps can be compared one by one.
    still = {"learning_rate": 1e-12}
    always = [values["loss"] for values in _losses(llama, neurons, **still)]
    never = [values["loss"] for values in _losses(llama, neurons, forward_zeroing=False, **still)]
    half = [values["loss"] for values in _losses(llama, neurons, zeroing_share=0.5, **still)]
    assert half == [never[0], always[1], never[2], always[3]]
    assert all(one != other for one, other in zip(always, never, strict=True))


def test_the_hooks_are_off_between_steps(llama, some_neurons):
    model = llama.model
    zeroing = ForwardZeroing(model, some_neurons(llama))

    class State:
        global_step = 0

    def hooks():
        return sum(len(module._forward_pre_hooks) for module in model.modules())

    before = hooks()
    zeroing.on_step_begin(None, State, None)
    assert hooks() > before
    zeroing.on_step_end(None, State, None)
    assert hooks() == before


def test_the_weight_of_the_chosen_answer_adds_its_loss_per_token(llama):
    nothing = NeuronSet("none", llama.fingerprint, llama.shape, frozenset())
    plain, half, whole = (
        _losses(llama, nothing, PAIRS[:1], max_steps=1, batch_size=1, chosen_weight=weight)[0]
        for weight in (0.0, 0.5, 1.0)
    )
    per_token = whole["loss"] - plain["loss"]
    assert half["loss"] - plain["loss"] == pytest.approx(per_token / 2, rel=1e-3)
    tokens = -plain["logps/chosen"] / per_token
    assert tokens == pytest.approx(round(tokens), abs=0.02)
    assert tokens > 2


@pytest.mark.parametrize("changes", [{"zeroing_share": 0.0}, {"zeroing_share": 1.5}, {"chosen_weight": -1.0}])
def test_settings_that_mean_nothing_are_refused(changes):
    with pytest.raises(UserError):
        MaskedDPOSettings(**changes)
