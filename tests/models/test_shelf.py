"""Models are opened once, shared, and the one not asked for longest goes first."""

import threading
import time
import weakref
from types import SimpleNamespace

import psutil
import pytest

from safeneuron.errors import UserError
from safeneuron.models import shelf
from safeneuron.models.fit import known_to_fit
from safeneuron.models.shelf import ModelShelf


def card(name, fits=False):
    return SimpleNamespace(source=name, title=name.upper(), fingerprint=f"print of {name}", plain=None, fits=fits)


@pytest.fixture(autouse=True)
def room(monkeypatch):
    """Let made-up cards say whether there is room for them; real ones are reckoned."""
    monkeypatch.setattr(
        shelf, "known_to_fit", lambda card: card.fits if isinstance(card, SimpleNamespace) else known_to_fit(card)
    )


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
        assert sum(models.holds(card(name)) for name in "abcd") <= capacity
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


class Slow:
    """Opens models; one called ``slow`` only once it is let go, and it says what it does."""

    def __init__(self, monkeypatch):
        self.begun, self.go_on, self.opened = threading.Event(), threading.Event(), []
        monkeypatch.setattr(shelf, "open_model", self.open_model)

    def open_model(self, source, progress):
        self.opened.append(source)
        if source == "slow":
            progress("Converting", 0.4)
            self.begun.set()
            assert self.go_on.wait(30), "nobody let it go on"
        return object()


@pytest.fixture
def slow(monkeypatch):
    opener = Slow(monkeypatch)
    yield opener
    opener.go_on.set()


def started(work, *arguments):
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def test_what_is_in_memory_is_there_while_another_model_is_opened(slow):
    models, found = ModelShelf(), []
    mine = models.get(card("a"))
    opening = started(models.get, card("slow"))
    assert slow.begun.wait(30)
    started(lambda: found.append(models.get(card("a")))).join(30)
    assert found == [mine], "it waited for the other"
    slow.go_on.set()
    opening.join(30)
    assert models.holds(card("slow")) and models.holds(card("a"))


@pytest.mark.parametrize("wanted", ["slow", "b"], ids=["the same model", "another model"])
def test_one_who_waits_is_told_what_for_and_openings_never_overlap(slow, wanted):
    models, told, found, waits = ModelShelf(), [], [], threading.Event()

    def progress(step, fraction):
        told.append((step, fraction))
        waits.set()

    opening = started(models.get, card("slow"))
    assert slow.begun.wait(30)
    waiting = started(lambda: found.append(models.get(card(wanted), progress)))
    assert waits.wait(30)
    assert slow.opened == ["slow"] and not found
    slow.go_on.set()
    for thread in (opening, waiting):
        thread.join(30)
    assert set(told) == {("Waiting while another session opens SLOW: Converting", 0.4)}
    assert slow.opened == list(dict.fromkeys(["slow", wanted]))
    assert found == [models.held(card(wanted))]


def test_one_who_stops_waiting_holds_nobody_up(slow):
    models, stopped = ModelShelf(), []

    class Stopped(Exception):
        pass

    def stop(step, fraction):
        raise Stopped

    def impatient():
        with pytest.raises(Stopped):
            models.get(card("b"), stop)
        stopped.append("b")

    opening = started(models.get, card("slow"))
    assert slow.begun.wait(30)
    started(impatient).join(30)
    assert stopped == ["b"]
    slow.go_on.set()
    opening.join(30)
    started(models.get, card("c")).join(30)
    assert slow.opened == ["slow", "c"]


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


@pytest.mark.parametrize("fits", [True, False])
def test_a_damaged_model_costs_no_other_where_memory_holds_one_more(monkeypatch, fits):
    def open_model(source, progress):
        if source == "damaged":
            raise UserError("It is damaged.")
        return object()

    monkeypatch.setattr(shelf, "open_model", open_model)
    released = []
    models = ModelShelf(2, on_release=released.append)
    oldest, _ = models.get(card("a")), models.get(card("b"))
    with pytest.raises(UserError, match="It is damaged"):
        models.get(card("damaged", fits))
    assert models.holds(card("a")) is fits and models.holds(card("b"))
    models.get(card("c", fits))
    assert released == [oldest] and models.holds(card("c"))


def test_the_oldest_goes_before_the_next_is_opened_where_memory_may_be_short(monkeypatch):
    alive, released = [], []

    class Model:
        pass

    def open_model(source, progress):
        assert sum(reference() is not None for reference in alive) < 2
        model = Model()
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(shelf, "open_model", open_model)
    models = ModelShelf(2, on_release=lambda model: released.append(id(model)))
    for name in "abcabc":
        models.get(card(name))
    assert len(released) == 4


def test_a_session_may_finish_with_a_model_that_has_left(monkeypatch):
    class Model:
        def __init__(self, name):
            self.name = name

    monkeypatch.setattr(shelf, "open_model", lambda source, progress: Model(source))
    models = ModelShelf(1)
    mine = models.get(card("a"))
    models.get(card("b"))
    assert mine.name == "a" and not models.holds(card("a"))
    gone = weakref.ref(mine)
    del mine
    assert gone() is None


@pytest.fixture
def medium_folders(make_tiny, tmp_path, home):
    """Three models of some 60 MB each."""
    folders = []
    for seed in range(3):
        loaded = make_tiny("llama", seed=seed, hidden_size=512, intermediate_size=1408, num_hidden_layers=7)
        folder = tmp_path / f"medium-{seed}"
        loaded.model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
        assert 50e6 < loaded.bytes < 100e6
        folders.append(folder)
    return folders


def test_ten_loads_and_switches_leave_no_more_memory_than_the_first(medium_folders, prompts):
    """Every model is computed with, so that all of its mapped pages are in memory, and has a panel that holds it."""
    from safeneuron.models.catalogue import model_card
    from safeneuron.ui import resources

    resources.st.cache_resource.clear()
    cards = [model_card(str(folder)) for folder in medium_folders]
    resident, alive = [], []
    for number in range(10):
        loaded = resources.shelf().get(cards[number % 3])
        alive.append(weakref.ref(loaded.model))
        # Before the new panel, which would push out the one of the model that has left.
        assert sum(reference() is not None for reference in alive) <= 2
        resources.panel_of(loaded)
        del loaded
        resident.append(psutil.Process().memory_info().rss)
    size = resources.shelf().get(cards[0]).bytes
    resources.st.cache_resource.clear()
    # Two are in memory from the second load on; a leak would add a model a time, eight in all.
    assert max(resident[2:]) - resident[1] < 1.2 * size


def test_a_panel_made_after_the_model_left_is_not_kept(medium_folders):
    from safeneuron.models.catalogue import model_card
    from safeneuron.ui import resources

    resources.st.cache_resource.clear()
    cards = [model_card(str(folder)) for folder in medium_folders]
    mine = resources.shelf().get(cards[0])
    for card in cards[1:]:
        resources.shelf().get(card)
    panel = resources.panel_of(mine)
    assert panel.scores(None) is not None
    gone = weakref.ref(mine.model)
    del mine, panel
    assert gone() is None
    resources.st.cache_resource.clear()
