"""The rounds of a run, T1, T2, ...: their phases, what each has found, and whether there is to be another.

Each round identifies safety neurons on the model as it is, adds them to those of the rounds before, and trains
with all of them constant (SafeNeuron, arXiv 2602.12158, Eq. 13; paper.md 2.3). Needs no torch.

The last round's model is the run's, ``run:<id>``. Before another round begins it is set apart as
``run:<id>-<round>``, so that what a run has finished can be told from the folders there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safeneuron.models.card import CARD
from safeneuron.models.sources.runs import PREFIX, model_folder, of_round
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress
from safeneuron.runs import store
from safeneuron.training.settings import TrainingSettings

ARTIFACT = "rounds"
PHASES = {
    "Opening the model": 2.0,
    "Building preference pairs": 15.0,
    "Reference log-probabilities": 10.0,
    "Training": 40.0,
    "Saving": 1.0,
    "Scoring": 10.0,
    "Evaluating": 25.0,
}
"""The phases in order, each with its share of a run of the usual length."""
REPEATED = ("Training", "Saving", "Scoring", "Evaluating")
"""Those that every round has."""

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class RoundResult:
    """What one round has come to.

    Parameters
    ----------
    round : int
        1 is the first.
    model : str
        Fingerprint of the model after it.
    neurons : NeuronSet
        What was constant: all that was found in this round or an earlier one.
    frozen : mapping
        The proof that it was, of this round: :class:`safeneuron.training.frozen.FrozenReport`.
    static, adaptive : tuple of mapping
        Rows of the evaluation with the parent's sets, and with sets found anew, as
        :meth:`safeneuron.robustness.ConditionResult.to_row` writes them.
    """

    round: int
    model: str
    neurons: NeuronSet
    frozen: Mapping[str, Any]
    static: Rows
    adaptive: Rows

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RoundResult":
        """Read what :func:`keep_round` wrote."""
        tables = {name: tuple(value[name]) for name in ("static", "adaptive")}
        return cls(**{**value, "neurons": NeuronSet.from_json(value["neurons"])} | tables)


def rounds_done(run_id: str) -> tuple[RoundResult, ...]:
    """Return the rounds that a run has finished, evaluation included, in order."""
    if not store.has_artifact(run_id, f"{ARTIFACT}.json"):
        return ()
    return tuple(map(RoundResult.from_json, store.get_json(run_id, ARTIFACT)))


def keep_round(run_id: str, found: RoundResult) -> None:
    """Write down that a round is finished."""
    results = (*rounds_done(run_id), found)
    store.put_json(run_id, ARTIFACT, [vars(one) | {"neurons": one.neurons.to_json()} for one in results])


def phases_of(rounds: int) -> dict[str, float]:
    """Return the phases of a run in order, with their shares; those of several rounds say of which they are."""
    if rounds == 1:
        return dict(PHASES)
    once = {phase: share for phase, share in PHASES.items() if phase not in REPEATED}
    return once | {_phase(number, phase): PHASES[phase] for number in range(1, rounds + 1) for phase in REPEATED}


def of_this_round(progress: Progress, number: int, rounds: int) -> Progress:
    """Return a progress whose steps open the phases of this round."""
    if rounds == 1:
        return progress
    return lambda step, fraction: progress(_phase(number, step) if step in REPEATED else step, fraction)


def _phase(number: int, phase: str) -> str:
    return f"Round {number}: {phase}"


def has_another(settings: TrainingSettings, done: Sequence[RoundResult], before: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a run goes on with a further round.

    Parameters
    ----------
    settings : TrainingSettings
    done : sequence of RoundResult
    before : sequence of mapping
        Rows of the parent's evaluation, which the first round is compared with.
    """
    if len(done) >= settings.rounds:
        return False
    if not done or not settings.stop_when_flat:
        return True
    rates = [full_refusal(rows) for rows in (before, *(one.adaptive for one in done))]
    return rates[-1] > rates[-2]


def full_refusal(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the refusal rate under FULL in the rows of an evaluation."""
    return _row(rows, "FULL")["refusal_rate"]


def _row(rows: Sequence[Mapping[str, Any]], condition: str) -> Mapping[str, Any]:
    return next(row for row in rows if row["condition"] == condition)


def is_saved(run_id: str) -> bool:
    """Tell whether the model of the round at hand is whole on disk."""
    return (model_folder(run_id) / CARD).is_file()


def set_apart(run_id: str, number: int) -> str:
    """Give the model of a finished round the name of its round, if that was not done before; return what names it."""
    name = of_round(run_id, number)
    if not model_folder(name).exists():
        model_folder(run_id).rename(model_folder(name))
    return name


def round_rows(run_id: str) -> list[dict[str, Any]]:
    """Return a row for each finished round: what was frozen, the proof, and refusals with nothing and FULL ablated.

    Returns
    -------
    list of dict
        ``round``, ``model`` (what ``--model`` takes once it may be used), ``frozen`` (neurons), ``max_abs_diff`` (of
        the frozen slices), ``judge``, ``n``, and refusal rates with their 95 % intervals: ``ORI``, ``FULL static``
        (the parent's set) and ``FULL adaptive`` (found anew).
    """
    rows = []
    for one in rounds_done(run_id):
        apart = of_round(run_id, one.round)
        conditions = {
            "ORI": _row(one.static, "ORI"),
            "FULL static": _row(one.static, "FULL"),
            "FULL adaptive": _row(one.adaptive, "FULL"),
        }
        row = {
            "round": one.round,
            "model": PREFIX + (apart if model_folder(apart).exists() else run_id),
            "frozen": len(one.neurons),
            "max_abs_diff": one.frozen["max_abs_diff"],
            "judge": conditions["ORI"]["judge"],
            "n": conditions["ORI"]["n"],
        }
        for name, found in conditions.items():
            row |= {name: found["refusal_rate"], f"{name} interval": found["interval"]}
        rows.append(row)
    return rows
