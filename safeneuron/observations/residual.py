"""The mean residual stream after every layer at the last prompt token, over a class of prompts.

What directions between classes are made of: Arditi et al. (arXiv 2406.11717, paper.md 5.4) take the
difference of two classes' means. They read the stream at a block's input (resid_pre); resid_post of
layer l is resid_pre of layer l + 1. In float64, whatever the weights' type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from safeneuron.errors import UserError
from safeneuron.observations.moments import StreamingMoments
from safeneuron.observations.observation import RESIDUAL, Observation, Reading
from safeneuron.workspace import replacing

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


@dataclass(frozen=True)
class ResidualStatistics:
    """Mean of resid_post at the last prompt token.

    Parameters
    ----------
    count : int
        Number of prompts.
    mean : numpy.ndarray
        ``[n_layers, d_model]``, float64.
    """

    count: int
    mean: np.ndarray

    def save(self, folder: Path) -> None:
        """Write ``residual.safetensors`` into a folder."""
        with replacing(folder) as staging:
            staging.mkdir()
            save_file({"count": np.array(self.count), "mean": self.mean}, staging / "residual.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "ResidualStatistics":
        """Read what :meth:`save` wrote."""
        try:
            arrays = load_file(folder / "residual.safetensors")
            return cls(int(arrays["count"]), arrays["mean"])
        except (OSError, KeyError, SafetensorError) as error:
            raise UserError(f"{folder} holds no readable residual streams; delete it and score again.") from error


class ResidualObserver:
    """Adds up the residual stream at the last prompt token."""

    def __init__(self, loaded: "LoadedModel") -> None:
        self._moments: StreamingMoments | None = None
        self._device = loaded.device

    def take(self, reading: Reading) -> Callable[[], None]:
        """Compute what a batch adds, and return what then adds it."""
        rows = reading.values[RESIDUAL]
        self._moments = self._moments or StreamingMoments(tuple(rows.shape[1:]), self._device)
        return self._moments.sum_with(rows)

    def state(self) -> dict[str, np.ndarray]:
        """Return what the batches so far have come to."""
        return {"count": np.array(self._moments.count), "mean": self._moments.mean.cpu().numpy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` returned."""
        import torch

        # The sum of squares is nobody's concern here.
        self._moments = StreamingMoments(state["mean"].shape, self._device)
        self._moments.count = int(state["count"])
        self._moments.mean = torch.from_numpy(state["mean"]).to(self._moments.mean.device)

    def keep(self, folder: Path) -> None:
        """Write the means into a folder that does not exist yet."""
        found = self.state()
        ResidualStatistics(int(found["count"]), found["mean"]).save(folder)


OBSERVATION = Observation(
    name="residual",
    title="mean residual stream after every layer",
    watches=lambda pooling: RESIDUAL,
    observer=lambda loaded, target, scratch: ResidualObserver(loaded),
    load=ResidualStatistics.load,
)
