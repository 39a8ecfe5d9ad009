"""Paces are kept per item while work is done; what was stopped in between says nothing."""

import json

import pytest

from safeneuron import pace
from safeneuron.errors import Cancelled
from safeneuron.progress import silent
from safeneuron.training.cost import RunWork


@pytest.fixture
def clock(home, monkeypatch):
    """Seconds that only the test lets pass."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def kept(home):
    path = home / "pace.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def test_seconds_per_item_are_kept(home, clock):
    with pace.measured("bulk answer", 10):
        clock[0] += 30.0
    assert kept(home) == {"bulk answer": 3.0}
    assert pace.of_answers(20, bulk=True) == "about 60 s, as measured here"
    with pytest.raises(Cancelled), pace.measured("bulk answer", 10):
        clock[0] += 500.0
        raise Cancelled
    assert kept(home) == {"bulk answer": 3.0}


def test_a_step_is_timed_from_its_first_report_to_its_last(home, clock):
    seen = []
    report = pace.timing(lambda *said: seen.append(said), "Training", "run pair", 4)
    for fraction in (0.0, 0.5, 1.0):
        clock[0] += 4.0
        report("Other", fraction)
        report("Training", fraction)
    assert kept(home) == {"run pair": 2.0}
    assert seen == [(name, fraction) for fraction in (0.0, 0.5, 1.0) for name in ("Other", "Training")]
    unfinished = pace.timing(silent, "Reference", "run reference", 4)
    unfinished("Reference", 0.0)
    assert "run reference" not in kept(home)


def test_every_phase_of_a_run_counts(home):
    (home).mkdir(exist_ok=True)
    (home / "pace.json").write_text(json.dumps(dict.fromkeys(pace.ROUGHLY, 60.0)))
    steps, whole = pace.of_training(RunWork(answers=5, pairs=3, trained_pairs=2, scorings=1))
    assert (steps, whole) == ("about 2 min", "about 12 min, as measured here")
