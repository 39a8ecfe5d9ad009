"""Which neurons' weights differ between two models, read from their files one tensor at a time.

So neither model is opened: the most that is ever in memory is one tensor of each. What was found is
kept under both fingerprints and read again without torch.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import weights_folder
from safeneuron.models.checksums import require_intact
from safeneuron.models.layout import NeuronTensor, layout_of_config
from safeneuron.models.model_files import check_weights, weight_files
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.workspace import fingerprint, replacing, workspace


@dataclass(frozen=True)
class WeightDifference:
    """What differs between the weights of two models of one shape.

    Parameters
    ----------
    changed : numpy.ndarray
        ``[n_layers, d_mlp]`` bool: neurons of which any gate, up or down weight, or bias, differs.
    largest : float
        Largest absolute difference of any of these.
    others_changed, others : int
        Tensors that belong to no neuron (attention, norms, embeddings): those that differ, and all.
    """

    changed: np.ndarray
    largest: float
    others_changed: int
    others: int

    @property
    def count(self) -> int:
        """Number of neurons that differ."""
        return int(self.changed.sum())

    def count_in(self, neurons: NeuronSet) -> int:
        """Return how many neurons of a set differ."""
        return int(self.changed[neurons.mask()].sum())


def kept_difference(first: ModelCard, second: ModelCard) -> WeightDifference | None:
    """Return the difference of two models if it was measured before, whichever of them was named first."""
    path = _path(first, second)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as stored:
            return WeightDifference(stored.get_tensor("changed"), **json.loads(stored.metadata()["facts"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None  # damaged: it is measured again


def weight_difference(first: ModelCard, second: ModelCard, progress: Progress = silent) -> WeightDifference:
    """Return the difference of two models' weights, measured now unless it was before.

    Raises
    ------
    UserError
        When the models' shapes differ, or one of them is not on this machine yet.
    """
    kept = kept_difference(first, second)
    if kept:
        return kept
    if (first.n_layers, first.d_mlp) != (second.n_layers, second.d_mlp):
        raise UserError(f"{first.title} and {second.title} have different shapes; choose two models of one shape.")
    folders = [_prepared_folder(card) for card in (first, second)]
    with _tensors(folders[0]) as ones, _tensors(folders[1]) as others:
        of_neurons = _neuron_tensors(folders[0], ones.keys() | others.keys(), first.d_mlp)
        found = _compared(ones, others, of_neurons, (first.n_layers, first.d_mlp), progress)
    with replacing(_path(first, second)) as staging:
        facts = {key: value for key, value in vars(found).items() if key != "changed"}
        save_file({"changed": found.changed}, staging, metadata={"facts": json.dumps(facts)})
    return found


def weights_bytes(card: ModelCard) -> int:
    """Return the size of a model's weight files; 0 while they are not on this machine."""
    folder = weights_folder(card)
    return sum(path.stat().st_size for path in weight_files(folder)) if folder else 0


def _compared(
    ones: dict[str, Any],
    others: dict[str, Any],
    of_neurons: dict[str, list[tuple[int, NeuronTensor]]],
    shape: tuple[int, int],
    report: Progress,
) -> WeightDifference:
    """Compare every tensor; ``of_neurons`` says of those that belong to neurons where each neuron's part is."""
    changed = np.zeros(shape, dtype=bool)
    largest, others_changed = 0.0, 0
    names = sorted(ones.keys() | others.keys())
    for number, name in enumerate(names):
        report("Comparing the weights", number / len(names))
        both = name in ones and name in others
        one, other = (side[name].get_tensor(name).float() if both else None for side in (ones, others))
        same_shape = both and one.shape == other.shape
        if name not in of_neurons:
            others_changed += not (same_shape and bool((one == other).all()))
            continue
        if not same_shape:
            raise UserError(f"The two models do not both have {name} in one shape; choose two models of one family.")
        for layer, tensor in of_neurons[name]:
            differs = (one != other).movedim(tensor.axis, 0)[tensor.offset : tensor.offset + shape[1]]
            changed[layer] |= differs.reshape(shape[1], -1).any(dim=1).numpy()
        largest = max(largest, float((one - other).abs().max()))
    report("Comparing the weights", 1.0)
    return WeightDifference(changed, largest, others_changed, sum(name not in of_neurons for name in names))


def _neuron_tensors(folder: Path, names: Iterable[str], d_mlp: int) -> dict[str, list[tuple[int, NeuronTensor]]]:
    """Return, by name in the files, the layer of every tensor that neurons own a part of, and where the parts are.

    Files may leave out, or have more of, what leads to the list of layers in the open model (GPT-2's
    say ``h.0`` for ``transformer.h.0``), so only its last part is looked for.
    """
    layout = layout_of_config(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    of_layer: dict[str, list[NeuronTensor]] = {}
    for tensor in layout.tensors(d_mlp):
        of_layer.setdefault(tensor.name, []).append(tensor)
    pattern = re.compile(rf"(?:.*\.)?{layout.layers.rsplit('.', 1)[-1]}\.(\d+)\.(.*)")
    found = {name: match for name in names if (match := pattern.fullmatch(name)) and match[2] in of_layer}
    return {name: [(int(match[1]), tensor) for tensor in of_layer[match[2]]] for name, match in found.items()}


@contextmanager
def _tensors(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield, for the name of every tensor in a folder, the open file that holds it."""
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, framework="pt")) for path in check_weights(folder)]
        yield {name: file for file in files for name in file.keys()}  # noqa: SIM118 - no mapping


def _prepared_folder(card: ModelCard) -> Path:
    if not card.ready:
        raise UserError(f"{card.title} is not prepared on this machine yet; choose it as Model once and prepare it.")
    folder = weights_folder(card)
    if folder is None:
        raise UserError(
            f"{card.title} is merged in memory only, so its weights cannot be compared from files; "
            "compare its scores instead, or merge it into a folder of its own with PEFT."
        )
    require_intact(folder)
    return folder


def _path(first: ModelCard, second: ModelCard) -> Path:
    name = fingerprint("weight difference", sorted([first.fingerprint, second.fingerprint]))
    return workspace() / "differences" / f"{name}.safetensors"
