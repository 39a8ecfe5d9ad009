"""Giving a run another name."""

from safeneuron.errors import UserError
from safeneuron.runs import sending, store, tracking
from safeneuron.runs.info import NAME_FILE, RunInfo, run_folder
from safeneuron.workspace import replacing

LONGEST = 120


def rename(run_id: str, name: str) -> RunInfo:
    """Give a run another name, here and in MLflow; it may be at work meanwhile.

    Raises
    ------
    UserError
        When the name is empty or too long, or there is no such run.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST:
        raise UserError(f"A run's name has 1 to {LONGEST} characters; give another.")
    folder = run_folder(run_id)
    with replacing(folder / NAME_FILE) as staging:
        staging.write_text(name, encoding="utf-8")
    if sending.on_server(folder.name):
        sending.offer(folder.name, at_once=True)
    else:
        tracking.set_name(folder.name, name)
    return store.get_run(folder.name)
