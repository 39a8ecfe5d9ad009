"""The models in memory: each opened once, shared by every browser session, the oldest released first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import open_model
from safeneuron.models.chat_names import spoken_as
from safeneuron.models.memory import release
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class ModelShelf:
    """Keeps the models last asked for, so that no page loads one twice.

    Parameters
    ----------
    capacity : int
        Two by default: a model and the one it is compared with.
    on_release : callable, optional
        Receives each model that goes, so that whoever keeps something of it lets that go too. A session that
        is still computing with the model finishes; its memory is free once that is done.
    """

    def __init__(self, capacity: int = 2, on_release: "Callable[[LoadedModel], None] | None" = None) -> None:
        self._capacity = capacity
        self._on_release = on_release
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, card: ModelCard, progress: Progress = silent) -> "LoadedModel":
        """Return the model, opening it if need be; others who ask meanwhile wait for the same one."""
        if card.plain:
            # The same weights, spoken to differently: only the plain model is ever held.
            return spoken_as(self.get(card.plain, progress), card)
        with self._lock:
            if card.fingerprint not in self._models:
                # First, so that there is never one more in memory than the capacity.
                self._make_room()
                self._models[card.fingerprint] = open_model(card.source, progress)
            self._models.move_to_end(card.fingerprint)
            return self._models[card.fingerprint]

    def holds(self, card: ModelCard) -> bool:
        """Return whether the model is in memory."""
        return (card.plain or card).fingerprint in self._models

    def _make_room(self) -> None:
        if len(self._models) < self._capacity:
            return
        while len(self._models) >= self._capacity:
            _, leaving = self._models.popitem(last=False)
            if self._on_release:
                self._on_release(leaving)
        # Or this frame would hold it while its memory is given back.
        del leaving
        release()
