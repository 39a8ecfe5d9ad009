"""The measurement of the lab's meter while a run trains; the ratio itself is the machine's."""

from dataclasses import replace

import psutil
import pytest

from safeneuron.errors import UserError
from safeneuron.training import beside


def test_a_process_trains_meanwhile_and_is_gone_afterwards(home, llama, model_folder, some_neurons, monkeypatch):
    loaded = replace(llama, card=replace(llama.card, source=str(model_folder)))
    there, measure = [], beside._median_seconds

    def look(*arguments, busy):
        there.append([process.cmdline()[-1] for process in psutil.Process().children()])
        return measure(*arguments, busy=busy)

    monkeypatch.setattr(beside, "_median_seconds", look)
    idle, busy, ratio = beside.beside_ratio(loaded, some_neurons(llama), toggles=2)
    assert idle > 0 and ratio == busy / idle
    assert str(model_folder) not in there[0] and str(model_folder) in there[1]
    assert not any(str(model_folder) in process.cmdline() for process in psutil.Process().children())


def test_a_model_that_cannot_be_trained_is_said(home, llama, some_neurons):
    with pytest.raises(UserError, match="could not be trained beside"), beside._training("no-such-model"):
        raise AssertionError("it trains")
