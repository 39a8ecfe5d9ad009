"""Mean and variance of every neuron's pooled activation, in a memory that does not grow with the prompts.

The streaming update of Chan, Golub and LeVeque (1979), in float64 whatever the weights' type.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.observations.observation import Observation, Reading, Target
from safeneuron.statistics import ActivationStatistics, statistics_fingerprint

if TYPE_CHECKING:
    import torch

    from safeneuron.models.loaded import LoadedModel


class StreamingMoments:
    """Count, mean and sum of squared deviations of rows that arrive in batches (Chan et al. 1979)."""

    def __init__(self, shape: tuple[int, ...], device: "torch.device") -> None:
        import torch

        # Apple's GPU has no float64.
        device = torch.device("cpu") if device.type == "mps" else device
        self.count = 0
        self.mean = torch.zeros(shape, dtype=torch.float64, device=device)
        self.squares = torch.zeros(shape, dtype=torch.float64, device=device)

    def update(self, rows: "torch.Tensor") -> None:
        """Add a batch ``[n, *shape]`` of any type; all of it or, where memory runs out, nothing."""
        self.sum_with(rows)()

    def sum_with(self, rows: "torch.Tensor") -> Callable[[], None]:
        """Compute what a batch ``[n, *shape]`` makes of the moments, and return what then makes it."""
        rows = rows.to(self.mean.device).double()
        added = rows.shape[0]
        batch_mean = rows.mean(dim=0)
        delta = batch_mean - self.mean
        total = self.count + added
        spread = (rows - batch_mean).square().sum(dim=0) + delta.square() * (self.count * added / total)
        squares, mean = self.squares + spread, self.mean + delta * (added / total)

        def add() -> None:
            self.count, self.mean, self.squares = total, mean, squares

        return add


class MomentsObserver:
    """Adds up the moments of one pooling."""

    def __init__(self, loaded: "LoadedModel", target: Target) -> None:
        self._target = target
        self._moments = StreamingMoments(loaded.shape, loaded.device)

    def take(self, reading: Reading) -> Callable[[], None]:
        """Compute what a batch adds, and return what then adds it."""
        return self._moments.sum_with(reading.values[self._target.pooling])

    def state(self) -> dict[str, np.ndarray]:
        """Return what the batches so far have come to."""
        moments = self._moments
        return {
            "count": np.array(moments.count),
            "mean": moments.mean.cpu().numpy(),
            "squares": moments.squares.cpu().numpy(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` returned."""
        import torch

        device = self._moments.mean.device
        self._moments.count = int(state["count"])
        self._moments.mean = torch.from_numpy(state["mean"]).to(device)
        self._moments.squares = torch.from_numpy(state["squares"]).to(device)

    def statistics(self) -> ActivationStatistics:
        """Return the statistics of all batches; at least two rows must have come."""
        target, moments = self._target, self._moments
        return ActivationStatistics(
            count=moments.count,
            mean=moments.mean.cpu().numpy(),
            variance=(moments.squares / (moments.count - 1)).cpu().numpy(),
            pooling=target.pooling,
            fingerprint=statistics_fingerprint(target.model, target.prompts, target.pooling),
        )

    def keep(self, folder: Path) -> None:
        """Write the statistics into a folder that does not exist yet."""
        self.statistics().save(folder)


def shipped_statistics() -> Path:
    """Return the folder of the statistics that come with the package."""
    return Path(str(files("safeneuron.scores") / "data"))


OBSERVATION = Observation(
    name="activations",
    title="mean and variance of every neuron's activation",
    watches=lambda pooling: pooling,
    observer=lambda loaded, target, scratch: MomentsObserver(loaded, target),
    load=ActivationStatistics.load,
    shipped=shipped_statistics(),
)
