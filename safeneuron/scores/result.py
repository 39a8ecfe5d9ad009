"""One score of every neuron: what was asked for, and what came out, kept under a fingerprint of all of it."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.observations.observation import Target, observations
from safeneuron.observations.unfinished import rows_read
from safeneuron.prompts.answers import NeededAnswers
from safeneuron.prompts.classes import PromptClasses
from safeneuron.scores.option import Value, settled
from safeneuron.scores.score import Evidence, Score, check_thresholds, scores
from safeneuron.statistics import Pooling
from safeneuron.workspace import discarded, fingerprint, replacing, workspace, write_json

TENSORS, FACTS = "values.safetensors", "score.json"


def targets_of(model: str, classes: PromptClasses, pooling: Pooling) -> tuple[Target, Target]:
    """Return what is observed of a model with this fingerprint: the harmful class and the benign one."""
    return tuple(Target(model, prompts.prompts, pooling) for prompts in (classes.harmful, classes.benign))


@dataclass(frozen=True)
class ScoreResult:
    """The values of one score.

    Parameters
    ----------
    name : str
        Of the score.
    model : str
        Fingerprint of the model.
    values : numpy.ndarray
        ``[n_layers, d_mlp]``.
    facts : mapping
        Options, pooling (None where it does not matter), names and sizes of the classes, fingerprint of the second
        model if there was one.
    """

    name: str
    model: str
    values: np.ndarray
    facts: Mapping[str, Any] = field(compare=False)

    @property
    def score(self) -> Score:
        """The score's declaration."""
        return scores()[self.name]

    def select(self, threshold: float | None = None) -> NeuronSet:
        """Return the neurons above a threshold, the score's own by default."""
        threshold = self.score.default_threshold if threshold is None else threshold
        check_thresholds({self.name: threshold})
        origin = {"method": self.name, "threshold": threshold} | dict(self.facts)
        return from_mask(self.name, self.model, self.values > threshold, origin)


@dataclass(frozen=True)
class ScoreRequest:
    """One score of one model on two classes of prompts, computed before or not.

    Parameters
    ----------
    name : str
        Of the score.
    model : str
        Fingerprint of the model.
    classes : PromptClasses
    pooling : {"last", "max", "mean"}
    options : mapping
        Those that differ from their defaults, or all.
    other : str, optional
        Fingerprint of the second model, for a score that needs one.

    Raises
    ------
    UserError
        When there is no such score or option, or the second model is missing.
    """

    name: str
    model: str
    classes: PromptClasses
    pooling: Pooling = "last"
    options: Mapping[str, Value] = field(default_factory=dict)
    other: str | None = None

    def __post_init__(self) -> None:
        if self.name not in scores():
            raise UserError(f"There is no score {self.name!r}; choose one of: {', '.join(scores())}.")
        if self.score.needs_other and self.other is None:
            raise UserError(f"{self.name} compares two models; choose a second one of the same shape.")
        object.__setattr__(self, "options", settled(self.score.options, self.options))

    @property
    def score(self) -> Score:
        """The score's declaration."""
        return scores()[self.name]

    @property
    def targets(self) -> tuple[Target, Target]:
        """What is observed: the harmful class and the benign one."""
        return targets_of(self.model, self.classes, self.pooling)

    @cached_property
    def fingerprint(self) -> str:
        """Names everything that the values depend on."""
        prompts = [sorted(target.prompts) for target in self.targets]
        other = self.other if self.score.needs_other else None
        read = prompts[:1] if self.score.harmful_only else prompts
        return fingerprint(
            "score", self.name, self.score.revision, self.model, read, self._pooling, dict(self.options), other
        )

    @property
    def _pooling(self) -> Pooling | None:
        return self.pooling if self.score.pools else None

    @property
    def n_prompts(self) -> int:
        """How many prompts of both classes are read: all, or as many of each as the option ``prompts`` says."""
        most = self.options.get("prompts", sys.maxsize)
        classes = [self.classes.harmful] if self.score.harmful_only else [self.classes.harmful, self.classes.benign]
        return sum(min(len(prompts), most) for prompts in classes)

    @property
    def folder(self) -> Path:
        """Where the values are kept, once they are."""
        return workspace() / "scores" / self.fingerprint

    @property
    def unfinished(self) -> Path:
        """Where the score's own work lies if it was stopped."""
        return workspace() / "scores" / "unfinished" / self.fingerprint

    def prompts_read(self) -> int:
        """Return how many of its prompts it need not read again, since it was stopped after them, or others read them.

        Of a score that has not been computed.
        """
        observed = sum(rows_read(target, self.score.observes) for target in self.targets)
        return observed + sum(len(load_file(path)["rows"]) for path in self.unfinished.glob("*.safetensors"))

    @cached_property
    def needed_answers(self) -> NeededAnswers:
        """The model's own answers that the score begins with."""
        return self.score.needed_answers(self.classes, self.options)

    def answers_missing(self) -> int:
        """Return how many answers of the model it needs that were not generated before."""
        return self.needed_answers.missing(self.model)

    def missing(self) -> list[str]:
        """Return the names of the observations that still have to be made of either class."""
        known = observations()
        return [name for name in self.score.observes if not all(known[name].exists(target) for target in self.targets)]

    def observed(self, name: str) -> tuple[Any, Any]:
        """Return the observation of both classes, which must have been made."""
        return tuple(observations()[name].kept(target) for target in self.targets)

    def kept(self) -> ScoreResult | None:
        """Return the result if it was computed before, or needs no more than what was observed before."""
        if self.score.immediate:
            return None if self.missing() else self.result(self.score.compute(Evidence(self.observed), {}))
        if not self.folder.is_dir():
            return None
        try:
            json.loads((self.folder / FACTS).read_text(encoding="utf-8"))
            return self.result(load_file(self.folder / TENSORS)["values"])
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise discarded(self.folder, f"The kept values of {self.name}") from error

    def keep(self, values: np.ndarray) -> ScoreResult:
        """Write the values, unless they are computed in no time, and return them as a result."""
        result = self.result(np.ascontiguousarray(values))
        if not self.score.immediate:
            with replacing(self.folder) as staging:
                staging.mkdir()
                save_file({"values": result.values}, staging / TENSORS)
                write_json(staging / FACTS, {"score": self.name, "model": self.model} | dict(result.facts))
        return result

    def result(self, values: np.ndarray) -> ScoreResult:
        """Return values ``[n_layers, d_mlp]`` as the result of this request."""
        facts = {
            "fingerprint": self.fingerprint,
            "pooling": self._pooling,
            "options": dict(self.options),
            "harmful": self.classes.harmful.name,
            "n_harmful": len(self.classes.harmful),
            "benign": self.classes.benign.name,
            "n_benign": len(self.classes.benign),
        }
        return ScoreResult(self.name, self.model, values, facts | ({"other": self.other} if self.other else {}))
