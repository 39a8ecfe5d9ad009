"""What a run did to a model, stage by stage: the parent, and the model after each round. Needs no torch.

Each with the safety neurons found on it, and with the refusals that were measured of it: nothing switched off, the
parent's FULL (static), its own FULL, found on it anew (adaptive), and the random control.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.rates import Rate
from safeneuron.robustness import ConditionResult
from safeneuron.runs import store
from safeneuron.training.rounds import ARTIFACT as ROUNDS
from safeneuron.training.rounds import rounds_done
from safeneuron.training.safety_sets import ARTIFACT as SETS
from safeneuron.training.safety_sets import safety_sets
from safeneuron.training.summary import TABLES, run_tables

NOTHING, PARENTS, OWN, RANDOM = "nothing off", "parent's FULL off", "its own FULL off", "random off"
"""What is switched off, in the order in which it is drawn."""


@dataclass(frozen=True)
class Stage:
    """One model of a run.

    Parameters
    ----------
    title : str
        "before", or after which round.
    model : str
        Fingerprint.
    found : NeuronSet
        FULL, as found on this model.
    refusals : mapping of str to Rate
        On harmful prompts, by what is switched off; empty where the run has not measured them.
    """

    title: str
    model: str
    found: NeuronSet
    refusals: Mapping[str, Rate]


def stages(run_id: str) -> tuple[Stage, ...]:
    """Return the stages that a run has come through so far, the parent first.

    Raises
    ------
    UserError
        When there are none: the run is not that far, or an earlier version made it, which kept no sets.
    """
    rounds = safety_sets(run_id)
    if not rounds:
        raise UserError(
            "The run has not kept the safety neurons of its rounds: it has not come that far, or an earlier version "
            "of safeneuron made it; start it again to see them."
        )
    refusals = _refusals(run_id)
    return tuple(Stage(title(one.round), one.model, one.sets["FULL"], refusals.get(one.model, {})) for one in rounds)


def stages_stamp(run_id: str) -> int:
    """Return a number that changes whenever a run has found or measured more; costs microseconds."""
    names = (SETS, ROUNDS, *TABLES)
    paths = (store.artifacts_folder(run_id) / f"{name}.json" for name in names)
    return sum(path.stat().st_mtime_ns for path in paths if path.is_file())


def title(round_number: int) -> str:
    """Return what a stage is called after so many rounds."""
    return f"after round {round_number}" if round_number else "before"


def _refusals(run_id: str) -> dict[str, dict[str, Rate]]:
    """Return the refusals under each ablation by the fingerprint of the model that they are of."""
    found: dict[str, dict[str, Rate]] = {}
    for one in rounds_done(run_id):
        rows = {"static": one.static, "adaptive": one.adaptive}
        found[one.model] = _rates({name: tuple(map(ConditionResult.from_row, of)) for name, of in rows.items()})
    # After the rounds, since these come with every answer, and so with the corrections that a person made.
    tables = run_tables(run_id)
    for model in {table.model for table in tables.values()}:
        rates = _rates({name: table.results for name, table in tables.items() if table.model == model})
        found[model] = found.get(model, {}) | rates
    return found


def _rates(tables: Mapping[str, Iterable[ConditionResult]]) -> dict[str, Rate]:
    names = {("adaptive", "FULL"): OWN}
    for table in ("before", "static"):
        names |= {(table, "ORI"): NOTHING, (table, "FULL"): PARENTS, (table, "RANDOM"): RANDOM}
    return {
        names[table, result.condition]: result.refusal
        for table, results in tables.items()
        for result in results
        if (table, result.condition) in names
    }
