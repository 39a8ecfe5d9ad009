"""What pruning found, and how it is kept; reading it needs no torch.

In ``pruning/<fingerprint>/`` in the workspace: ``effects.jsonl`` of a set and its prompts has every ablation that was
tried, written at once, so that a stopped job goes on where it was, and one that keeps another share tries few anew;
``result.json`` of the whole question is there at the end.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.pruning.search import Pruned
from safeneuron.pruning.settings import PruningSettings
from safeneuron.refusal.rates import Rate
from safeneuron.sets.kept import NAME, NameTaken, keep_set
from safeneuron.workspace import clear_disk_errors, fingerprint, workspace, write_json

EFFECTS, RESULT = "effects.jsonl", "result.json"
CONDITIONS = ("ORI", "whole set", "subset", "RANDOM")


@dataclass(frozen=True)
class PruningResult:
    """The smallest part of a set that was found, and its check.

    Parameters
    ----------
    neurons : NeuronSet
        The whole set.
    title : str
        The model's.
    settings : PruningSettings
    found : Pruned
    refusal : mapping of str to Rate
        On held-out harmful prompts with nothing, the whole set, the subset, and as many random neurons per layer as
        the subset has switched off, by the names in :data:`CONDITIONS`.
    name : str
        Under which the subset is kept.
    created : float
        Seconds since the epoch.
    """

    neurons: NeuronSet
    title: str
    settings: PruningSettings
    found: Pruned
    refusal: Mapping[str, Rate]
    name: str
    created: float

    @property
    def subset(self) -> NeuronSet:
        """The subset, with where it came from."""
        return subset_of(self.neurons, self.settings, self.found)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per neuron of the whole set, the most important first."""
        return [
            {
                "neuron": f"{layer}:{index}",
                "share": share,
                "in subset": (layer, index) in self.found.subset,
            }
            for (layer, index), share in self.found.shares.items()
        ]

    def rates(self) -> list[dict[str, Any]]:
        """Return one row per condition of the check."""
        counts = {"ORI": 0, "whole set": len(self.neurons)}
        return [
            {
                "switched off": condition,
                "neurons": counts.get(condition, len(self.found.subset)),
                "n": found.n,
                "refusal_rate": found.value,
                "interval": [found.low, found.high],
                "judge": found.judge,
            }
            for condition, found in ((name, self.refusal[name]) for name in CONDITIONS)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        found = {
            "shares": [[*neuron, share] for neuron, share in self.found.shares.items()],
            "subset": [list(neuron) for neuron in self.found.subset],
            "effect": self.found.effect,
            "subset_effect": self.found.subset_effect,
        }
        return {
            "neurons": self.neurons.to_json(),
            "title": self.title,
            "settings": self.settings.to_json(),
            "found": found,
            "refusal": {condition: asdict(rate) for condition, rate in self.refusal.items()},
            "name": self.name,
            "created": self.created,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PruningResult":
        """Read what :meth:`to_json` wrote."""
        found = value["found"]
        pruned = Pruned(
            {(layer, index): share for layer, index, share in found["shares"]},
            tuple((layer, index) for layer, index in found["subset"]),
            found["effect"],
            found["subset_effect"],
        )
        return cls(
            NeuronSet.from_json(value["neurons"]),
            value["title"],
            PruningSettings.from_json(value["settings"]),
            pruned,
            {condition: Rate(**rate) for condition, rate in value["refusal"].items()},
            value["name"],
            value["created"],
        )


def subset_of(neurons: NeuronSet, settings: PruningSettings, found: Pruned) -> NeuronSet:
    """Return the subset as a set, with where it came from."""
    origin = {"pruned from": neurons.name, "neurons": len(neurons), "keeps": found.kept, "asked": settings.keep}
    origin |= {"parts": {neurons.name: dict(neurons.origin)}}
    return NeuronSet(f"{neurons.name}-pruned", neurons.model, neurons.shape, frozenset(found.subset), origin)


def pruning_fingerprint(neurons: NeuronSet, settings: PruningSettings) -> str:
    """Name the question: the same set, prompts and settings have the same one."""
    asked = [settings.measured_on().prompts, settings.checked_on().prompts]
    return fingerprint("pruning", neurons.model, sorted(neurons.neurons), asked, settings.to_json())


class KeptEffects:
    """The effects of ablations that were tried before, by neurons; new ones are on disk at once.

    Parameters
    ----------
    neurons : NeuronSet
        The whole set, parts of which were tried.
    settings : PruningSettings
        Of which only the prompts matter, whatever share was to be kept.
    """

    def __init__(self, neurons: NeuronSet, settings: PruningSettings) -> None:
        of = fingerprint("effects", neurons.model, sorted(neurons.neurons), settings.measured_on().prompts)
        self._path = _folder(of) / EFFECTS
        self._effects = dict(self._read())

    def __len__(self) -> int:
        return len(self._effects)

    def get(self, neurons: frozenset[Neuron]) -> float | None:
        """Return an effect if it was measured before."""
        return self._effects.get(self._key(neurons))

    def keep(self, neurons: frozenset[Neuron], effect: float) -> None:
        """Keep an effect."""
        self._effects[self._key(neurons)] = effect
        with clear_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps([self._key(neurons), effect]) + "\n")

    def _key(self, neurons: frozenset[Neuron]) -> str:
        return fingerprint(sorted(neurons))

    def _read(self):
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                key, effect = json.loads(line)
            except (ValueError, TypeError):  # a line that a crash cut short
                continue
            yield key, effect


def keep_result(result: PruningResult) -> None:
    """Put a result on disk."""
    write_json(_folder(pruning_fingerprint(result.neurons, result.settings)) / RESULT, result.to_json())


def kept_result(neurons: NeuronSet, settings: PruningSettings) -> PruningResult | None:
    """Return the result of a question that was answered before, or None; a damaged one counts as none."""
    return _load(_folder(pruning_fingerprint(neurons, settings)) / RESULT)


def kept_results(model: str) -> list[PruningResult]:
    """Return every result of a model, the newest first."""
    found = (_load(path) for path in (workspace() / "pruning").glob(f"*/{RESULT}"))
    mine = [result for result in found if result is not None and result.neurons.model == model]
    return sorted(mine, key=lambda result: -result.created)


def keep_subset(neurons: NeuronSet, subset: NeuronSet) -> str:
    """Keep a subset under a name made of the whole set's, and return the name.

    Where another set has the name already, a number is put behind it.
    """
    base = f"{neurons.name}-pruned"
    # A set that was written as an expression has a name that no kept set can have.
    base = base if NAME.fullmatch(base) else "pruned"
    for number in range(1, 1000):
        name = base if number == 1 else f"{base}-{number}"
        try:
            return keep_set(subset, name, neurons.model).name
        except NameTaken:
            continue
    raise UserError("There are a thousand pruned sets of this name; delete some on the Neurons page.")


def _load(path: Path) -> PruningResult | None:
    try:
        return PruningResult.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder(name: str) -> Path:
    return workspace() / "pruning" / name
