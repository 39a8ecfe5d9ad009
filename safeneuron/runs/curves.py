"""A run's curves, one point per optimiser step: they lie in MLflow, and the run's folder tells when there is more."""

from collections.abc import Mapping

from safeneuron.runs import tracking
from safeneuron.runs.info import run_folder
from safeneuron.runs.tracking import Curve
from safeneuron.workspace import clear_disk_errors

METRICS_FILE = "metrics"


def log_metrics(run_id: str, step: int, values: Mapping[str, float]) -> None:
    """Add one point to each of several curves."""
    tracking.log_metrics(run_id, step, values)
    folder = run_folder(run_id)
    with clear_disk_errors(folder):
        (folder / METRICS_FILE).touch()


def metrics_stamp(run_id: str) -> int:
    """Return a number that changes with every point logged, 0 before the first; costs microseconds.

    Whoever watches a run asks MLflow for its curves only when the number has changed.
    """
    try:
        return (run_folder(run_id) / METRICS_FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def metric_history(run_id: str, key: str) -> Curve:
    """Return one curve of a run, without points while there are none."""
    return tracking.metric_history(run_folder(run_id).name, key)


def metric_keys(run_id: str) -> list[str]:
    """Return the names of a run's curves."""
    return tracking.metric_keys(run_folder(run_id).name)
