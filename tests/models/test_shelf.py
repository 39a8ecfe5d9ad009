"""Models are opened once, shared, and the one not asked for longest goes first."""

import threading
import time
from types import SimpleNamespace

import pytest

from safeneuron.models import shelf
from safeneuron.models.shelf import ModelShelf


def card(name):
    return SimpleNamespace(source=name, fingerprint=f"print of {name}", plain=None)


@pytest.fixture
def opened(monkeypatch):
    """Names in the order in which models were really opened."""
    names = []

    def open_model(source, progress):
        names.append(source)
        return object()

    monkeypatch.setattr(shelf, "open_model", open_model)
    return names


def test_a_model_is_opened_once(opened):
    models = ModelShelf()
    assert not models.holds(card("a"))
    assert models.get(card("a")) is models.get(card("a"))
    assert models.holds(card("a"))
    assert opened == ["a"]


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_the_capacity_is_kept(opened, capacity):
    models = ModelShelf(capacity)
    for name in "abcd":
        models.get(card(name))
    assert [name for name in "abcd" if models.holds(card(name))] == list("abcd")[-capacity:]


def test_the_one_not_asked_for_longest_goes(opened):
    models = ModelShelf(2)
    for name in "abac":
        models.get(card(name))
    assert models.holds(card("a")) and models.holds(card("c")) and not models.holds(card("b"))
    assert opened == ["a", "b", "c"]


def test_two_sessions_that_ask_at_once_get_the_same_model(monkeypatch):
    opened = []

    def slowly(source, progress):
        opened.append(source)
        time.sleep(0.1)
        return object()

    monkeypatch.setattr(shelf, "open_model", slowly)
    models, found = ModelShelf(), []
    threads = [threading.Thread(target=lambda: found.append(models.get(card("a")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["a"] and len(found) == 4 and len(set(map(id, found))) == 1


def test_a_model_that_could_not_be_opened_is_tried_again(monkeypatch):
    attempts = []

    def failing(source, progress):
        attempts.append(source)
        if len(attempts) == 1:
            raise OSError("no")
        return object()

    monkeypatch.setattr(shelf, "open_model", failing)
    models = ModelShelf()
    with pytest.raises(OSError, match="no"):
        models.get(card("a"))
    assert not models.holds(card("a"))
    models.get(card("a"))
    assert len(attempts) == 2
