"""How a run's safety sets went from round to round, as it wrote them down. Reading needs no torch.

Artifact ``safety_sets.json``: a list, written anew whenever a round has ended, of ::

    {"round": 0, "model": fingerprint, "sets": {"ES": ..., "SAS": ..., "FULL": ...}, "frozen": 0}

Round 0 is the parent as it was; round i is the model after round i, with the sets found on it anew and how
many neurons were frozen while it was trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safeneuron.neurons import NeuronSet
from safeneuron.runs import store

ARTIFACT = "safety_sets"


@dataclass(frozen=True)
class RoundSets:
    """The safety sets of the model after one round.

    Parameters
    ----------
    round : int
        0 is the parent.
    model : str
        Fingerprint of the model that they were found on.
    sets : mapping of str to NeuronSet
        ES, SAS and FULL.
    frozen : int
        Neurons that were constant in that round; 0 for the parent.
    """

    round: int
    model: str
    sets: Mapping[str, NeuronSet]
    frozen: int

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return vars(self) | {"sets": {name: found.to_json() for name, found in self.sets.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RoundSets":
        """Read what :meth:`to_json` wrote."""
        return cls(**value | {"sets": {name: NeuronSet.from_json(found) for name, found in value["sets"].items()}})


def safety_sets(run_id: str) -> tuple[RoundSets, ...]:
    """Return the sets of the parent and of the model after each round, as far as the run has come.

    Runs of earlier versions wrote none.
    """
    if not store.has_artifact(run_id, f"{ARTIFACT}.json"):
        return ()
    return tuple(map(RoundSets.from_json, store.get_json(run_id, ARTIFACT)))


def keep_safety_sets(run_id: str, found: RoundSets) -> None:
    """Write a round's sets down; a resumed run that comes to the same round again replaces them."""
    rounds = {kept.round: kept for kept in safety_sets(run_id)} | {found.round: found}
    store.put_json(run_id, ARTIFACT, [rounds[number].to_json() for number in sorted(rounds)])
