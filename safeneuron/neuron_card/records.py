"""Every neuron's activation on the prompts that a card shows: harmful, benign, and the harmful ones' safe twins.

The built-in prompts, or those that the map is drawn from; only built-in harmful prompts have twins.
Read from disk, one neuron or layer at a time. Making them is one pass over the prompts, once for all
neurons of a model.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.observations.observation import Target, observations
from safeneuron.observations.record import ActivationRecord
from safeneuron.observations.residual import ResidualStatistics
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.classes import PromptClasses
from safeneuron.scores.score import ACTIVATIONS
from safeneuron.scoring import classes_of
from safeneuron.statistics import Pooling
from safeneuron.workspace import fingerprint

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

RECORD, RESIDUAL = "record", "residual"


@dataclass(frozen=True)
class Records:
    """Activations of all neurons on every prompt of three kinds, and the classes' mean residual streams.

    Parameters
    ----------
    harmful, benign : ActivationRecord
    harmful_stream, benign_stream : ResidualStatistics
        Mean resid_post of every layer at the last prompt token.
    fingerprint : str
        Names model, prompts and pooling.
    twins : ActivationRecord or None
        None where the harmful prompts have no twins.
    """

    harmful: ActivationRecord
    benign: ActivationRecord
    harmful_stream: ResidualStatistics
    benign_stream: ResidualStatistics
    fingerprint: str
    twins: ActivationRecord | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_layers, d_mlp)``, the grid of neurons."""
        return self.harmful.shape[1:]

    def both(self, layer: int) -> np.ndarray:
        """Return one layer's activations on the harmful prompts and then the benign ones ``[n_prompts, d_mlp]``."""
        return np.concatenate([self.harmful.layer(layer), self.benign.layer(layer)])

    def refusal_direction(self, layer: int) -> np.ndarray:
        """Return the harmful minus the benign mean residual stream after a layer ``[d_model]``, float64.

        Arditi et al. (arXiv 2406.11717, paper.md 5.4), not normalised.
        """
        return self.harmful_stream.mean[layer] - self.benign_stream.mean[layer]


def card_targets(model: str, pooling: Pooling = "last", classes: PromptClasses | None = None) -> dict[str, Target]:
    """Return what is observed for the cards of a model, by kind of prompt: harmful, benign and, if there are any, twin.

    Parameters
    ----------
    model : str
        Fingerprint of the model.
    pooling : {"last", "max", "mean"}
    classes : PromptClasses, optional
        The built-in prompts if left out, here as below.
    """
    classes = classes or classes_of()
    asked = set(classes.harmful.prompts)
    twins = tuple(dict.fromkeys(row.twin for row in builtin.harmful_prompts() if row.prompt in asked))
    prompts = {"harmful": classes.harmful.prompts, "benign": classes.benign.prompts}
    # One alone has no spread, and cannot be observed.
    prompts |= {"twin": twins} if len(twins) > 1 else {}
    return {kind: Target(model, chosen, pooling) for kind, chosen in prompts.items()}


def prompts_to_read(model: str, pooling: Pooling = "last", classes: PromptClasses | None = None) -> int:
    """Return how many prompts still have to be read before :func:`kept_records` finds everything."""
    targets = card_targets(model, pooling, classes)
    return sum(len(target.prompts) for kind, target in targets.items() if _missing(kind, target))


def bytes_to_keep(prompts: int, shape: tuple[int, int]) -> int:
    """Return what so many prompts take on disk, in a model of this shape ``(n_layers, d_mlp)``."""
    return prompts * shape[0] * shape[1] * np.dtype(np.float32).itemsize


def kept_records(model: str, pooling: Pooling = "last", classes: PromptClasses | None = None) -> Records | None:
    """Return the records of the model with this fingerprint if all were made before; needs no model in memory."""
    targets, known = card_targets(model, pooling, classes), observations()
    if any(_missing(kind, target) for kind, target in targets.items()):
        return None
    return Records(
        *(known[RECORD].kept(targets[kind]) for kind in ("harmful", "benign")),
        *(known[RESIDUAL].kept(targets[kind]) for kind in ("harmful", "benign")),
        fingerprint("records", model, [sorted(target.prompts) for target in targets.values()], pooling),
        known[RECORD].kept(targets["twin"]) if "twin" in targets else None,
    )


def read_records(
    loaded: "LoadedModel",
    pooling: Pooling = "last",
    progress: Progress = silent,
    classes: PromptClasses | None = None,
) -> Records:
    """Return the records of a model; what is missing is made by a pass over those prompts, which can be gone on with.

    Raises
    ------
    UserError
        When the disk is too small, or an activation is no number.
    """
    from safeneuron.observing import observe

    for kind, target in card_targets(loaded.fingerprint, pooling, classes).items():
        step = f"Reading activations on {'safe twins' if kind == 'twin' else f'{kind} prompts'}"
        # In the same pass what the paper's scores are made of, if a model comes here that was never scored.
        names = _needed(kind) if kind == "twin" else (*_needed(kind), ACTIVATIONS)
        observe(loaded, target, names, progress, step)
    return kept_records(loaded.fingerprint, pooling, classes)


def _needed(kind: str) -> tuple[str, ...]:
    return (RECORD,) if kind == "twin" else (RECORD, RESIDUAL)


def _missing(kind: str, target: Target) -> bool:
    known = observations()
    return not all(known[name].exists(target) for name in _needed(kind))
