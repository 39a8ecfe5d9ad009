"""Progress, threads, plug-ins: the small things that everything else stands on."""

import sys
import threading

import pytest
import torch

from safeneuron import compute
from safeneuron.compute import shared_threads, threads
from safeneuron.registry import discover


@pytest.mark.parametrize(
    ("cores", "busy", "expected"), [(1, True, 1), (1, False, 1), (2, True, 1), (2, False, 2), (9, True, 4)]
)
def test_two_processes_share_the_cores(monkeypatch, cores, busy, expected):
    monkeypatch.delenv("SAFENEURON_THREADS")
    monkeypatch.setattr(compute, "CORES", cores)
    assert shared_threads(busy) == expected


@pytest.mark.parametrize(("forced", "expected"), [("3", 3), ("0", 1)])
def test_the_person_may_say_how_many(monkeypatch, forced, expected):
    monkeypatch.setenv("SAFENEURON_THREADS", forced)
    assert shared_threads(busy=True) == expected


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="x"), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError("x")
    assert torch.get_num_threads() == before


def test_threads_hold_in_the_thread_that_asks():
    seen = []

    def work():
        with threads(1):
            seen.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1]


def test_plug_ins_are_found_by_their_files(tmp_path, monkeypatch):
    package = tmp_path / "plugged_in_for_a_test"
    package.mkdir()
    for name, text in {"__init__": "", "b": "THING = 'b'", "a": "THING = 'a'", "helper": "OTHER = 1"}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert discover("plugged_in_for_a_test", "THING") == ("a", "b")
    finally:
        for name in [name for name in sys.modules if name.startswith("plugged_in_for_a_test")]:
            del sys.modules[name]
