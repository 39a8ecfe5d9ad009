"""A run's curves, one point per optimiser step: they lie in MLflow, and the run's folder tells when there is more.

Those of a run that goes to a team's server lie in its folder too, so that no server that is down takes them away.
"""

import time
from collections.abc import Mapping

from safeneuron.runs import sending, tracking
from safeneuron.runs.info import run_folder
from safeneuron.runs.tracking import Curve, Point
from safeneuron.workspace import clear_disk_errors

METRICS_FILE = "metrics"


def log_metrics(run_id: str, step: int, values: Mapping[str, float]) -> None:
    """Add one point to each of several curves."""
    point = Point(step, int(time.time() * 1000), {key: float(value) for key, value in values.items()})
    folder = run_folder(run_id)
    if sending.on_server(folder.name):
        sending.keep(folder.name, point)
        sending.offer(folder.name)
    else:
        tracking.log_points(folder.name, [point])
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
    known = run_folder(run_id).name
    if not sending.on_server(known):
        return tracking.metric_history(known, key)
    return tracking.curve_of({point.step: point.values[key] for point in sending.points(known) if key in point.values})


def metric_keys(run_id: str) -> list[str]:
    """Return the names of a run's curves."""
    known = run_folder(run_id).name
    if not sending.on_server(known):
        return tracking.metric_keys(known)
    return sorted({key for point in sending.points(known) for key in point.values})
