"""How much memory a model's weights will take, before it is opened."""

from math import prod

from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import model_card, weights_folder
from safeneuron.models.model_files import tensor_shapes, weight_files

BYTES_PER_WEIGHT = 4
"""Every model is opened in float32, whatever its files hold."""


def memory_estimate(card: ModelCard) -> int | None:
    """Return the bytes that the weights take once open, or None while they are not on this machine.

    Only the headers of the files are read, without torch. Tied weights that a file holds twice are
    counted twice, which files that transformers wrote never do.

    Raises
    ------
    UserError
        When a weight file is damaged or missing.
    """
    folder = weights_folder(card)
    if folder is None and card.parent:
        # Merging an adapter changes weights and adds none.
        return memory_estimate(model_card(card.parent))
    # What lies in a folder that is not ready is damaged, and made anew before it is opened.
    files = weight_files(folder) if folder and card.ready else []
    weights = sum(prod(shape) for path in files for shape in tensor_shapes(path).values())
    return weights * BYTES_PER_WEIGHT if files else None
