"""What is known of a model before its weights are read."""

import json
from dataclasses import dataclass
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.chat_format import ChatFormat

CARD = "safeneuron.json"
"""Name of the file in which a card lies beside the weights that it describes."""


@dataclass(frozen=True)
class ModelCard:
    """Enough to find a model's results and draw them, without opening it.

    Parameters
    ----------
    source : str
        The string that opens the model, on a page or behind ``--model``.
    title : str
        A short name for menus and legends.
    fingerprint : str
        Names the weights and the chat template; results are kept under it.
    n_layers, d_mlp : int
        Shape of the neuron grid.
    origin : str
        One sentence for people: where the weights come from.
    ready : bool
        Whether it opens at once; otherwise it is first fetched and converted.
    parent : str or None
        Source of the model that this one was trained from, or whose weights it speaks with.
    cost : str
        What getting it ready takes, in sentences for people; empty where that is nothing.
    plain : ModelCard or None
        The card of the same weights, spoken to as they are by themselves; None for a card that is such a one.
    chat : ChatFormat or None
        How the weights of ``plain`` are spoken to instead.
    """

    source: str
    title: str
    fingerprint: str
    n_layers: int
    d_mlp: int
    origin: str
    ready: bool
    parent: str | None = None
    cost: str = ""
    plain: "ModelCard | None" = None
    chat: ChatFormat | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_layers, d_mlp)``, the grid of neurons."""
        return self.n_layers, self.d_mlp

    @property
    def n_neurons(self) -> int:
        """Neurons in the whole model."""
        return self.n_layers * self.d_mlp


def read_card(folder: Path, source: str) -> ModelCard | None:
    """Return the card of a folder that safeneuron wrote, or None when it wrote none.

    Raises
    ------
    UserError
        When the card is damaged.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        return ModelCard(source=source, ready=True, **json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged; put the folder back from a copy, or delete it and train the model again."
        ) from error
