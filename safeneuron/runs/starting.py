"""Starting a background job that measures something, with its settings kept in the run."""

from collections.abc import Mapping
from typing import Any

from safeneuron.errors import UserError
from safeneuron.runs import store
from safeneuron.runs.launcher import launch

SETTINGS = "settings"
"""Name under which the job finds what it was asked."""


def start_job(name: str, kind: str, target: str, settings: Mapping[str, Any], phases: Mapping[str, float]) -> str:
    """Start a job in the background and return its run's id at once; it works when it is its turn.

    Parameters
    ----------
    name, kind : str
        For people, and for telling sorts of runs apart.
    target : str
        The job as ``package.module:function``, see :func:`safeneuron.runs.worker.carry_out`.
    settings : mapping
        JSON-ready; the job reads it with :func:`safeneuron.runs.store.get_json`.
    phases : mapping of str to float
        See :func:`safeneuron.runs.store.create_run`.

    Raises
    ------
    UserError
        When no process could be started.
    """
    flat = {key: value for key, value in settings.items() if isinstance(value, str | int | float | bool)}
    info = store.create_run(name, kind, flat, phases)
    try:
        store.put_json(info.id, SETTINGS, settings)
        launch(info.id, target)
    except UserError as error:
        store.fail(info.id, str(error))
        raise
    return info.id
