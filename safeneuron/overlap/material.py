"""What the analysis is made of: every prompt's activations and residual streams, read once in one pass.

The activations are the per-prompt record that other scores use too; the residual stream is kept at the
last prompt token. What is kept is stated before the pass, in bytes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from safeneuron.errors import UserError
from safeneuron.observations.observation import Target, observations
from safeneuron.observations.record import ActivationRecord
from safeneuron.progress import Progress, silent
from safeneuron.prompts.choices import BUILT_IN, categories_of, chosen_classes
from safeneuron.prompts.classes import PromptClasses
from safeneuron.scores.result import targets_of
from safeneuron.scores.score import ACTIVATIONS, ScoreTable
from safeneuron.statistics import Pooling
from safeneuron.workspace import fingerprint

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

T = TypeVar("T")
RECORD, STREAM = "record", "residual-record"
"""Names of the two observations: neurons' activations, and the residual stream, on every prompt."""
BYTES = 4
"""Of one kept number, a float32."""


@dataclass(frozen=True)
class Material:
    """What is read of one model on two classes of prompts.

    Parameters
    ----------
    model : str
        Fingerprint.
    classes : PromptClasses
    categories : mapping of str to str
        The category of harm of each harmful prompt.
    pooling : {"last", "max", "mean"}
        Of the neurons' activations; the residual stream is that of the last prompt token.
    """

    model: str
    classes: PromptClasses
    categories: Mapping[str, str]
    pooling: Pooling = "last"

    @property
    def targets(self) -> tuple[Target, Target]:
        """What is observed: the harmful class and the benign one."""
        return targets_of(self.model, self.classes, self.pooling)

    @property
    def fingerprint(self) -> str:
        """Names model, prompts, their categories and pooling."""
        prompts = [sorted(target.prompts) for target in self.targets]
        return fingerprint("overlap", self.model, prompts, sorted(self.categories.items()), self.pooling)

    def prompts_to_read(self, names: Collection[str] = (RECORD, STREAM)) -> int:
        """Return how many prompts still have to be read before :meth:`records` finds what is named."""
        return sum(len(target.prompts) for target in self.targets if self._missing(target, names))

    def bytes_to_keep(self, widths: Mapping[str, int], n_layers: int) -> int:
        """Return how much of the disk the missing records will take.

        Parameters
        ----------
        widths : mapping of str to int
            Numbers per prompt and layer of each observation: d_mlp of :data:`RECORD`, d_model of :data:`STREAM`.
        """
        known = observations()
        return sum(
            len(target.prompts) * n_layers * width * BYTES
            for target in self.targets
            for name, width in widths.items()
            if not known[name].exists(target)
        )

    def records(self, name: str) -> tuple[ActivationRecord, ActivationRecord] | None:
        """Return one observation of both classes, harmful and benign, or None where a class has not been read."""
        if self.prompts_to_read([name]):
            return None
        harmful, benign = (observations()[name].kept(target) for target in self.targets)
        return harmful, benign

    def table(self) -> ScoreTable | None:
        """Return the paper's scores on these prompts, or None where they have not been read with this pooling."""
        if self.prompts_to_read([ACTIVATIONS]):
            return None
        return ScoreTable(self.model, *(observations()[ACTIVATIONS].kept(target) for target in self.targets))

    def unread(self) -> UserError:
        """Return the error that says that the prompts have to be read first."""
        return UserError(
            f"{self.prompts_to_read()} prompts of {self.classes.harmful.name} and {self.classes.benign.name} have not "
            "been read by this model yet; read them first."
        )

    @staticmethod
    def _missing(target: Target, names: Collection[str]) -> bool:
        known = observations()
        return not all(known[name].exists(target) for name in names)


def material_of(model: str, pooling: Pooling = "last", prompts: str = BUILT_IN) -> Material:
    """Return the material of the model with this fingerprint, read before or not.

    Parameters
    ----------
    prompts : str
        Of :func:`safeneuron.prompts.choices.choices`.
    """
    classes = chosen_classes(prompts)
    return Material(model, classes, categories_of(prompts, classes), pooling)


def scored(material: Material) -> ScoreTable:
    """Return the paper's scores on the material's prompts.

    Raises
    ------
    UserError
        When they were not read yet.
    """
    return _read(material, material.table())


def recorded(material: Material) -> tuple[ActivationRecord, ActivationRecord]:
    """Return every neuron's activation on each prompt, harmful and benign; raises as :func:`scored` does."""
    return _read(material, material.records(RECORD))


def streamed(material: Material) -> tuple[ActivationRecord, ActivationRecord]:
    """Return the residual stream on each prompt, harmful and benign; raises as :func:`scored` does."""
    return _read(material, material.records(STREAM))


def _read(material: Material, found: T | None) -> T:
    if found is None:
        raise material.unread()
    return found


def read_material(
    loaded: "LoadedModel",
    material: Material,
    names: Collection[str] = (RECORD, STREAM),
    progress: Progress = silent,
) -> None:
    """Read what is missing of a material, in one pass over each class that can be stopped and gone on with.

    Raises
    ------
    UserError
        When the disk is too small, or an activation is no number.
    """
    from safeneuron.observing import observe

    for target, kind in zip(material.targets, ("harmful", "benign"), strict=True):
        # In the same pass what the paper's scores are made of, if a model comes here that was never scored.
        observe(loaded, target, {*names, ACTIVATIONS}, progress, f"Reading activations on {kind} prompts")
