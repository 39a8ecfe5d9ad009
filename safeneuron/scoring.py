"""The scores of a model, computed once: shipped with the package, kept in the workspace, or made now."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.score import ScoreTable, scores
from safeneuron.statistics import ActivationStatistics, Pooling, statistics_fingerprint
from safeneuron.workspace import replacing, workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


def default_prompts() -> tuple[PromptSet, PromptSet]:
    """Return the harmful and benign prompts that neurons are identified with unless others are given."""
    return builtin.harmful("train"), builtin.benign("train")


def score_table(
    loaded: "LoadedModel",
    harmful: PromptSet | None = None,
    benign: PromptSet | None = None,
    pooling: Pooling = "last",
    progress: Progress = silent,
) -> ScoreTable:
    """Return the scores of every neuron; what has been computed before is read from disk.

    Parameters
    ----------
    loaded : LoadedModel
    harmful, benign : PromptSet, optional
        The two classes; the built-in ``train`` part by default.
    pooling : {"last", "max", "mean"}
    progress : Progress
        Told about the two passes over the prompts, if they have to be made.
    """
    own_harmful, own_benign = default_prompts()
    classes = {"harmful": harmful or own_harmful, "benign": benign or own_benign}
    statistics = {
        name: _statistics(loaded, prompts, pooling, f"Reading activations on {name} prompts", progress)
        for name, prompts in classes.items()
    }
    return ScoreTable(loaded.fingerprint, statistics["harmful"], statistics["benign"])


def kept_score_table(
    model: str, harmful: PromptSet | None = None, benign: PromptSet | None = None, pooling: Pooling = "last"
) -> ScoreTable | None:
    """Return the scores of the model with this fingerprint if they were computed before, else None.

    Needs no model in memory, which is how the first page shows a map at once.
    """
    own_harmful, own_benign = default_prompts()
    found = [
        _kept(statistics_fingerprint(model, prompts.prompts, pooling))
        for prompts in (harmful or own_harmful, benign or own_benign)
    ]
    if found[0] is None or found[1] is None:
        return None
    return ScoreTable(model, found[0], found[1])


def write_scores(table: ScoreTable, sets: Mapping[str, NeuronSet], folder: Path) -> None:
    """Write ``scores.parquet`` (a row per neuron) and one JSON file per set into a folder."""
    check_target(folder)
    frame = score_frame(table)
    with replacing(folder / "scores.parquet") as staging:
        frame.to_parquet(staging, index=False)
    for name, found in sets.items():
        found.save(folder / f"{name}.json")


def check_target(folder: Path) -> None:
    """Make the folder for the scores, or refuse one that cannot be made or written, before any are computed.

    Raises
    ------
    UserError
        When the path is a file, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise UserError(f"{folder} is a file; name a folder for the scores.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{folder} cannot be written ({reason}); name another folder for the scores.") from error


def score_frame(table: ScoreTable) -> pd.DataFrame:
    """Return a row per neuron: layer, index, every score, and both means."""
    layers, width = table.harmful.mean.shape
    columns = {"layer": np.repeat(np.arange(layers), width), "index": np.tile(np.arange(width), layers)}
    columns |= {name: table.values(name).ravel() for name in scores()}
    return pd.DataFrame(
        columns | {"mean_harmful": table.harmful.mean.ravel(), "mean_benign": table.benign.mean.ravel()}
    )


def strongest_members(table: ScoreTable, chosen: NeuronSet, limit: int) -> pd.DataFrame:
    """Return the rows of a set's neurons, strongest first, at most ``limit``.

    By the score that selects more of them: one of the two may select none at all.
    """
    members = score_frame(table)[chosen.mask().ravel()]
    by = max(scores(), key=lambda name: (members[name] > scores()[name].default_threshold).sum())
    return for_people(members.nlargest(limit, by))


def for_people(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the names of columns that tables on pages have."""
    return frame.rename(columns={"index": "neuron", "mean_harmful": "mean harmful", "mean_benign": "mean benign"})


def shipped_statistics() -> Path:
    """Return the folder of the statistics that come with the package."""
    return Path(str(files("safeneuron.scores") / "data"))


def _statistics(
    loaded: "LoadedModel", prompts: PromptSet, pooling: Pooling, step: str, progress: Progress
) -> ActivationStatistics:
    name = statistics_fingerprint(loaded.fingerprint, prompts.prompts, pooling)
    kept = _kept(name)
    if kept:
        return kept
    from safeneuron.activations import collect

    statistics = collect(loaded, prompts.prompts, pooling, progress=progress, step=step)
    statistics.save(_folder(name))
    return statistics


def _kept(name: str) -> ActivationStatistics | None:
    for folder in (_folder(name), shipped_statistics() / name):
        if folder.is_dir():
            return ActivationStatistics.load(folder)
    return None


def _folder(name: str) -> Path:
    return workspace() / "statistics" / name
