"""Starting a run again with changes: what an earlier run was asked to do."""

from dataclasses import dataclass

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pair_files import load_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs import store
from safeneuron.training.data_facts import pair_sources
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.start import GIVEN, KIND, PAIRS_FILE


@dataclass(frozen=True)
class Asked:
    """What a run was started with, as :func:`safeneuron.training.start.start_training` takes it.

    Parameters
    ----------
    source : str
        The model.
    neurons : str or NeuronSet
        The set's name or expression where the run found it by itself, or else the set.
    settings : TrainingSettings
    pairs : tuple of PreferencePair or None
        The person's own, as that run took them; None where it built them.
    pairs_from : tuple of str
        The files that they came from.
    """

    source: str
    neurons: str | NeuronSet
    settings: TrainingSettings
    pairs: tuple[PreferencePair, ...] | None
    pairs_from: tuple[str, ...]

    @property
    def set_name(self) -> str:
        """What is frozen, in a word."""
        return self.neurons if isinstance(self.neurons, str) else self.neurons.name


def asked_of(run_id: str) -> Asked:
    """Return what a run was asked to do.

    Raises
    ------
    UserError
        When there is no such run, or it trained nothing.
    """
    info = store.get_run(run_id)
    if info.kind != KIND:
        raise UserError(f"The run {info.id[:8]} ({info.name}) trains no model; name one that does.")
    facts = store.get_json(info.id, "settings")
    source, name = facts.pop("source"), facts.pop("set")
    found_by_itself = store.has_artifact(info.id, f"{GIVEN}.json")
    neurons = name if found_by_itself else NeuronSet.from_json(store.get_json(info.id, "neurons"))
    own = pair_sources(info.id)
    pairs = None if own is None else load_pairs(store.artifacts_folder(info.id) / PAIRS_FILE)
    return Asked(source, neurons, TrainingSettings.from_json(facts), pairs, tuple(own or ()))
