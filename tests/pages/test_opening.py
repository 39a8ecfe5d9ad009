"""What opening a model takes is kept for the next estimate, and what others' openings take is not."""

import json
import threading

import pytest

from safeneuron.models import shelf
from safeneuron.ui import resources


def kept_paces(home):
    path = home / "paces.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def test_what_opening_takes_is_kept(visit, home):
    at = visit("model")
    at.button(key="run_self_check").click().run()
    assert not at.exception and not at.error
    assert kept_paces(home)["opening"]["tiny"]["seconds"] > 0


@pytest.fixture
def opening_elsewhere(visit, tiny_model, monkeypatch):
    """Another session that is opening the model, and the event that it ends after."""
    from safeneuron.models.catalogue import model_card, open_model

    begun, go_on = threading.Event(), threading.Event()

    def slowly(source, progress):
        progress("Opening the model", 0.0)
        begun.set()
        assert go_on.wait(60)
        return open_model(source)

    monkeypatch.setattr(shelf, "open_model", slowly)
    thread = threading.Thread(target=resources.shelf().get, args=(model_card(tiny_model),), daemon=True)
    thread.start()
    assert begun.wait(60)
    yield go_on
    go_on.set()
    thread.join(60)


def test_waiting_for_another_session_is_no_part_of_it(visit, home, monkeypatch, opening_elsewhere):
    from safeneuron.ui import work

    told, draw = [], work.Steps._draw

    def noted(steps, step, fraction):
        told.append(step)
        if step.startswith("Waiting"):
            opening_elsewhere.set()
        draw(steps, step, fraction)

    monkeypatch.setattr(work.Steps, "_draw", noted)
    at = visit("model")
    at.button(key="run_self_check").click().run()
    assert not at.exception and not at.error
    assert "Waiting while another session opens tiny: Opening the model" in told
    assert "opening" not in kept_paces(home)
