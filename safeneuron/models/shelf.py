"""The models in memory: each opened once, shared by every browser session, the oldest released first."""

import gc
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import open_model
from safeneuron.models.chat_names import spoken_as
from safeneuron.progress import Progress, silent

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


class ModelShelf:
    """Keeps the models last asked for, so that no page loads one twice.

    Parameters
    ----------
    capacity : int
        Two by default: a model and the one it is compared with.
    """

    def __init__(self, capacity: int = 2) -> None:
        self._capacity = capacity
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, card: ModelCard, progress: Progress = silent) -> "LoadedModel":
        """Return the model, opening it if need be; others who ask meanwhile wait for the same one."""
        if card.plain:
            # The same weights, spoken to differently: only the plain model is ever held.
            return spoken_as(self.get(card.plain, progress), card)
        with self._lock:
            if card.fingerprint not in self._models:
                self._models[card.fingerprint] = open_model(card.source, progress)
            self._models.move_to_end(card.fingerprint)
            if len(self._models) > self._capacity:
                self._models.popitem(last=False)
                # A model may hold itself in a cycle, and its memory is wanted now.
                gc.collect()
            return self._models[card.fingerprint]

    def holds(self, card: ModelCard) -> bool:
        """Return whether the model is in memory."""
        return (card.plain or card).fingerprint in self._models
