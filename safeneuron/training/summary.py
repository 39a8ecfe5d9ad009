"""Everything a run has to say for itself, in JSON-ready values."""

from dataclasses import asdict
from typing import Any

from safeneuron.overlap.start import NOT_COMPARED
from safeneuron.refusal.corrections import Corrections
from safeneuron.robustness import ConditionResult, RobustnessTable
from safeneuron.runs import curves, store
from safeneuron.runs.resuming import resumable
from safeneuron.runs.sending import unsent
from safeneuron.standing import log_tail
from safeneuron.training.checkpoints import progress_kept
from safeneuron.training.rounds import round_rows
from safeneuron.training.start import KIND, LEFT_OUT

LOG_LINES = 15
TABLES = ("before", "static", "adaptive")


def run_summary(run_id: str) -> dict[str, Any]:
    """Return where a run stands and what it has found so far.

    Returns
    -------
    dict
        run, name, status, phase, progress, message; ``log`` (the last lines of a failed run's log, else none);
        ``unsent`` (what a team's tracking server lacks of it, in words); ``resume`` (where a stopped run would go
        on, or None);
        ``model`` (what ``--model`` takes, or None until the run has finished, and for a job that trains none);
        ``set`` (name, count and origin of the frozen set, or None until the run has found it); ``pairs left
        out`` (how many, by reason, or None); ``frozen`` (slices, max_abs_diff, or None); ``counts`` of the sets
        on the parent and the trained model; ``curve``: the fingerprint of the degradation curve that a job
        measures; ``not compared``: by part of a job for the Overlap page, why its prompts do not allow it; ``tables``:
        the rows of the evaluations ``before`` (parent, its own sets), ``static`` (trained model, the parent's sets)
        and ``adaptive`` (trained model, sets found on it anew), as far as they were made; ``rounds``:
        :func:`safeneuron.training.rounds.round_rows`; ``parameters`` it was started with; ``events`` (time in
        seconds since the epoch, text), oldest first.
    """
    info = store.get_run(run_id)

    def kept(name: str) -> Any:
        return store.get_json(info.id, name) if store.has_artifact(info.id, f"{name}.json") else None

    found = {name: kept(name) for name in TABLES}
    return {
        "run": info.id,
        "name": info.name,
        "status": info.status,
        "phase": info.phase,
        "progress": info.progress,
        "message": info.message,
        "log": log_tail(info.id, LOG_LINES).splitlines() if info.status == "failed" else [],
        "unsent": unsent(info.id),
        "resume": progress_kept(info) if resumable(info) else None,
        "model": info.source if info.status == "finished" and info.kind == KIND else None,
        "set": _set_facts(kept("neurons")),
        "pairs left out": kept(LEFT_OUT),
        "frozen": kept("frozen"),
        "counts": kept("counts"),
        "curve": kept("curve"),
        "not compared": kept(NOT_COMPARED),
        "tables": {name: table["rows"] for name, table in found.items() if table},
        "rounds": round_rows(info.id),
        "parameters": dict(info.parameters),
        "events": [asdict(event) for event in store.events(info.id)],
    }


def _set_facts(neurons: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a set says of itself, without its neurons, of which there may be thousands."""
    if neurons is None:
        return None
    return {"name": neurons["name"], "count": len(neurons["neurons"]), "origin": neurons["origin"]}


def run_tables(run_id: str) -> dict[str, RobustnessTable]:
    """Return the evaluations that a run has made so far, with every answer, by the names in :data:`TABLES`."""
    found = {}
    for name in TABLES:
        if store.has_artifact(run_id, f"{name}.json") and store.has_artifact(run_id, f"{name}_answers.parquet"):
            facts = store.get_json(run_id, name)
            results = tuple(ConditionResult.from_row(row) for row in facts["rows"])
            table = RobustnessTable(facts["model"], results, store.get_table(run_id, f"{name}_answers"))
            # Runs of earlier versions kept no verdict beside refused or not, so there is nothing to correct.
            found[name] = table.corrected(Corrections()) if "verdict" in table.answers else table
    return found


def run_curves(run_id: str) -> list[dict[str, float]]:
    """Return what the trainer logged, a row per optimiser step, under the names that MLflow keeps.

    Apart from :func:`run_summary`, since it takes seconds to import MLflow and pages read summaries.
    """
    rows: dict[int, dict[str, float]] = {}
    for key in curves.metric_keys(run_id):
        curve = curves.metric_history(run_id, key)
        for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
            rows.setdefault(step, {"step": step})[key] = value
    return [rows[step] for step in sorted(rows)]
