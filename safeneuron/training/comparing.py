"""Several runs beside each other: the settings in which they differ, and their rates."""

from collections.abc import Sequence
from typing import Any

from safeneuron.errors import UserError
from safeneuron.training.summary import run_summary

COLUMNS = ("run", "table", "condition", "neurons", "n", "refusal_rate", "interval", "benign_refusal_rate", "judge")
MISSING = "—"


def run_comparison(run_ids: Sequence[str]) -> dict[str, Any]:
    """Return two or more runs side by side.

    Returns
    -------
    dict
        ``runs``: id, name and status of each, in the order given; ``settings``: a row for each setting in which
        they differ, with each run's value under the first digits of its id; ``rates``: a row for each run, table
        and condition; ``frozen``: the number of frozen neurons of each.

    Raises
    ------
    UserError
        When fewer than two different runs are named, or one is unknown.
    """
    found = {summary["run"]: summary for summary in map(run_summary, run_ids)}
    if len(found) < 2:
        raise UserError("Comparing takes two runs or more; give the first digits of two different ids.")
    names = {run: run[:8] for run in found}
    keys = {key: None for summary in found.values() for key in summary["parameters"]}
    settings = [
        {"setting": key} | {names[run]: summary["parameters"].get(key, MISSING) for run, summary in found.items()}
        for key in keys
    ]
    differing = [row for row in settings if len({str(value) for name, value in row.items() if name != "setting"}) > 1]
    rates = [
        {"run": names[run], "table": table} | {column: row.get(column) for column in COLUMNS[2:]}
        for run, summary in found.items()
        for table, rows in summary["tables"].items()
        for row in rows
    ]
    return {
        "runs": [{key: summary[key] for key in ("run", "name", "status")} for summary in found.values()],
        "settings": differing,
        "frozen": {names[run]: (summary["set"] or {}).get("count") for run, summary in found.items()},
        "rates": rates,
    }
