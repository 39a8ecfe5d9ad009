"""The models in memory: each opened once, shared by every browser session, the oldest released first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import open_model
from safeneuron.models.chat_names import spoken_as
from safeneuron.models.fit import known_to_fit
from safeneuron.models.memory import release
from safeneuron.models.turns import Turns
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class ModelShelf:
    """Keeps the models last asked for, so that no page loads one twice.

    Those in memory are there for everybody at once. Opening, with the fetching and converting before it, takes
    turns: so no model is opened twice and room is made in order. And while transformers opens one it changes
    what holds for the whole process (the default type of numbers, how weights are initialised and tied), so that
    two at once could both come out wrong.

    Parameters
    ----------
    capacity : int
        Two by default: a model and the one it is compared with. One more is in memory for a moment when another is
        opened, if it is known to fit.
    on_release : callable, optional
        Receives each model that goes, so that whoever keeps something of it lets that go too. A session that
        is still computing with the model finishes; its memory is free once that is done.
    """

    def __init__(self, capacity: int = 2, on_release: "Callable[[LoadedModel], None] | None" = None) -> None:
        self._capacity = capacity
        self._on_release = on_release
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._opening = Turns()
        self._under_way = ("", 0.0)
        # Only ever held for a moment.
        self._lock = threading.Lock()

    def get(self, card: ModelCard, progress: Progress = silent) -> "LoadedModel":
        """Return the model, opening it if need be.

        Whoever has to wait for another opening first is told which one and how far it is.
        """
        held = self.held(card)
        if held is not None:
            return held
        if card.plain:
            # The same weights, spoken to differently: only the plain model is ever held.
            return spoken_as(self.get(card.plain, progress), card)
        self._opening.acquire(meanwhile=lambda: progress(*self._under_way))
        try:
            # Those who waited may have waited for this very model.
            return self.held(card) or self._open(card, progress)
        finally:
            self._opening.release()

    def held(self, card: ModelCard) -> "LoadedModel | None":
        """Return the model if it is in memory."""
        if card.plain:
            plain = self.held(card.plain)
            return plain and spoken_as(plain, card)
        with self._lock:
            if card.fingerprint not in self._models:
                return None
            self._models.move_to_end(card.fingerprint)
            return self._models[card.fingerprint]

    def holds(self, card: ModelCard) -> bool:
        """Return whether the model is in memory."""
        return (card.plain or card).fingerprint in self._models

    def _open(self, card: ModelCard, progress: Progress) -> "LoadedModel":
        waiting = f"Waiting while another session opens {card.title}"

        def tell(step: str, fraction: float) -> None:
            self._under_way = (f"{waiting}: {step}", fraction)
            progress(step, fraction)

        self._under_way = (waiting, 0.0)
        # Where memory holds one more for a moment, the oldest goes only once the new one is known to open, so that
        # a damaged one costs nobody the model that is worked with.
        if not known_to_fit(card):
            self._make_room()
        opened = open_model(card.source, tell)
        self._make_room()
        with self._lock:
            self._models[card.fingerprint] = opened
        return opened

    def _make_room(self) -> None:
        while len(self._models) >= self._capacity:
            with self._lock:
                _, leaving = self._models.popitem(last=False)
            if self._on_release:
                self._on_release(leaving)
            # Or this frame would hold it while its memory is given back.
            del leaving
            release()
