"""What one pass over prompts leaves behind: every neuron's mean and variance, on disk and in memory.

Apart from the pass itself (``activations.py``), so that kept results are read and drawn before
torch is imported.
"""

import json
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from safeneuron.errors import UserError
from safeneuron.workspace import fingerprint, replacing, write_json

Pooling = Literal["last", "max", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

ROUNDING = 2.0**-18
"""Share of a layer's typical activation up to which means differ by rounding: 32 units in the last place of float32."""


@dataclass(frozen=True)
class ActivationStatistics:
    """Mean and variance of every neuron's pooled activation over a set of prompts.

    Parameters
    ----------
    count : int
        Number of prompts.
    mean, variance : numpy.ndarray
        ``[n_layers, d_mlp]``, float64; the variance is the unbiased sample variance.
    pooling : {"last", "max", "mean"}
        Over the real (non-padding) tokens of the templated prompt.
    fingerprint : str
        Names model, prompts and pooling.
    """

    count: int
    mean: np.ndarray
    variance: np.ndarray
    pooling: str
    fingerprint: str

    def save(self, folder: Path) -> None:
        """Write ``statistics.safetensors`` and ``statistics.json`` into a folder."""
        with replacing(folder) as staging:
            staging.mkdir()
            save_file({"mean": self.mean, "variance": self.variance}, staging / "statistics.safetensors")
            write_json(
                staging / "statistics.json",
                {"count": self.count, "pooling": self.pooling, "fingerprint": self.fingerprint},
            )

    @classmethod
    def load(cls, folder: Path) -> "ActivationStatistics":
        """Read what :meth:`save` wrote."""
        try:
            arrays = load_file(folder / "statistics.safetensors")
            facts = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
            return cls(facts["count"], arrays["mean"], arrays["variance"], facts["pooling"], facts["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"{folder} holds no readable activation statistics; delete it and score again.") from error


def check_prompts(prompts: Sized) -> None:
    """Refuse prompts that have no variance, before a model is asked for.

    Raises
    ------
    UserError
        When there are fewer than two.
    """
    if len(prompts) < 2:
        raise UserError("Activation statistics need at least two prompts; give a file with more.")


def mean_shift(harmful: ActivationStatistics, benign: ActivationStatistics) -> np.ndarray:
    """Return the harmful minus the benign means ``[n_layers, d_mlp]``; exactly 0 where that is only rounding.

    Scores divide shifts by a spread, and would blow rounding up where there is nothing else: in GPT-NeoX
    and Falcon layer 0's MLP sees the last token alone, which the chat template makes the same in every
    prompt, but in batches of another shape the last bits of its activations differ.
    """
    shift = harmful.mean - benign.mean
    size = np.sqrt((harmful.mean**2 + benign.mean**2 + harmful.variance + benign.variance) / 2)
    return np.where(np.abs(shift) > ROUNDING * np.median(size, axis=1, keepdims=True), shift, 0.0)


def check_pooling(pooling: str) -> None:
    """Refuse a pooling that does not exist, before a model is asked for.

    Raises
    ------
    UserError
        When it is none of :data:`Pooling`.
    """
    if pooling not in POOLINGS:
        raise UserError(f"There is no pooling {pooling!r}; choose one of: {', '.join(POOLINGS)}.")


def statistics_fingerprint(model: str, prompts: Sequence[str], pooling: str) -> str:
    """Return the name under which the statistics of these prompts are kept; order does not matter."""
    return fingerprint("activations", model, sorted(prompts), pooling)
