"""Only the beginnings of both answers are compared, in the policy and in the reference."""

import copy
from dataclasses import replace

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.settings import MaskedDPOSettings

SETTINGS = MaskedDPOSettings(learning_rate=1e-3, max_steps=3, batch_size=2)


def _pairs(refusal: str, answer: str) -> tuple[PreferencePair, ...]:
    return tuple(
        PreferencePair(f"Question {number}: how?", f"I cannot help{refusal}", f"First you go{answer}")
        for number in range(4)
    )


def _logged(loaded, neurons, pairs, compared_tokens):
    copied = replace(loaded, model=copy.deepcopy(loaded.model))
    logged = []
    settings = replace(SETTINGS, compared_tokens=compared_tokens)
    train_masked_dpo(copied, neurons, pairs, settings, on_metrics=lambda _, values: logged.append(dict(values)))
    return [{name: values[name] for name in ("loss", "logps/chosen", "logps/rejected")} for values in logged]


def test_what_comes_later_in_an_answer_does_not_count(llama, some_neurons):
    neurons = some_neurons(llama)
    short, long = _pairs(" you.", " on."), _pairs(" anybody with that, ever.", " home, and come back the next day.")
    assert _logged(llama, neurons, short, 2) == _logged(llama, neurons, long, 2)
    assert _logged(llama, neurons, short, 0) != _logged(llama, neurons, long, 0)


def test_more_tokens_than_there_are_leave_the_answers_whole(llama, some_neurons):
    neurons, pairs = some_neurons(llama), _pairs(" you.", " on.")
    assert _logged(llama, neurons, pairs, 1000) == _logged(llama, neurons, pairs, 0)


def test_fewer_than_none_are_refused():
    with pytest.raises(UserError, match="compared"):
        MaskedDPOSettings(compared_tokens=-1)
