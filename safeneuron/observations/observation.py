"""What watches a pass over prompts, and the registry of what can be observed.

One pass serves many observations: each batch of prompts is read once, and every observer takes in
what it needs of it. So scores that look at different things of the same prompts cost one pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from safeneuron.errors import UserError
from safeneuron.registry import discover
from safeneuron.statistics import Pooling
from safeneuron.workspace import discarded, fingerprint, workspace

if TYPE_CHECKING:
    import torch

    from safeneuron.models.loaded import LoadedModel

RESIDUAL = "residual"
"""What an observer asks for that looks at the residual stream instead of a pooling of the activations."""
TOKEN_NORM = "norm"
"""A pooling that only observers ask for: the Euclidean norm over the prompt's tokens."""


@dataclass(frozen=True)
class Reading:
    """What one batch of prompts showed.

    Parameters
    ----------
    rows : list of int
        Which of the pass's prompts these are.
    values : mapping of str to torch.Tensor
        By what was asked for: under a pooling, or :data:`TOKEN_NORM`, ``[n, n_layers, d_mlp]``, and under
        :data:`RESIDUAL` resid_post at the last prompt token ``[n, n_layers, d_model]``; in float32 or wider.
    """

    rows: list[int]
    values: Mapping[str, "torch.Tensor"]


class Observer(Protocol):
    """Takes in a pass batch by batch; what it has of a stopped pass it gives back to go on from."""

    def take(self, reading: Reading) -> Callable[[], None]:
        """Compute what a batch adds, and return what then adds it.

        Memory may run out here and not there, so that all observers of a pass take a batch in or none does.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Return what the batches so far have come to."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` returned."""

    def keep(self, folder: Path) -> None:
        """Write the finished observation into a folder that does not exist yet."""


@dataclass(frozen=True)
class Target:
    """What is observed: some prompts on one model, pooled in one way.

    Parameters
    ----------
    model : str
        Fingerprint.
    prompts : tuple of str
    pooling : {"last", "max", "mean"}
    """

    model: str
    prompts: tuple[str, ...]
    pooling: Pooling


@dataclass(frozen=True)
class Observation:
    """One kind of thing that a pass over prompts can leave behind.

    Parameters
    ----------
    name : str
    title : str
        For progress and for what a score says that it needs.
    watches : callable
        ``watches(pooling)`` -> what it asks of each batch: a pooling, :data:`TOKEN_NORM` or :data:`RESIDUAL`.
    observer : callable
        ``observer(loaded, target, scratch)`` -> a new :class:`Observer`; ``scratch`` is a folder that outlives a
        stopped pass.
    load : callable
        ``load(folder)`` -> what :meth:`Observer.keep` wrote there.
    shipped : Path, optional
        A folder of observations that come with the package, under the same names.
    """

    name: str
    title: str
    watches: Callable[[Pooling], str]
    observer: Callable[["LoadedModel", Target, Path], Observer]
    load: Callable[[Path], Any]
    shipped: Path | None = None

    def folder(self, target: Target) -> Path:
        """Return where the observation of a target is kept, once it is."""
        # In the order of the alphabet, so that a file with the same prompts in another order is the same class.
        parts = (self.name, target.model, sorted(target.prompts), self.watches(target.pooling))
        return workspace() / "observations" / self.name / fingerprint(*parts)

    def kept(self, target: Target) -> Any | None:
        """Return the observation of a target if it was made before, here or by those who made the package.

        Raises
        ------
        UserError
            When it is damaged; it is then deleted, so that the next try makes it anew.
        """
        found = self._found(target)
        if found is None:
            return None
        try:
            return self.load(found)
        except UserError as error:
            if found.parent == self.shipped:
                raise
            raise discarded(found, f"What was kept as {self.title}") from error

    def exists(self, target: Target) -> bool:
        """Return whether the observation of a target was made before."""
        return self._found(target) is not None

    def _found(self, target: Target) -> Path | None:
        folder = self.folder(target)
        folders = [folder, self.shipped / folder.name] if self.shipped else [folder]
        return next((found for found in folders if found.is_dir()), None)


def observations() -> dict[str, Observation]:
    """Return every kind of observation by name."""
    return {found.name: found for found in discover("safeneuron.observations", "OBSERVATION")}
