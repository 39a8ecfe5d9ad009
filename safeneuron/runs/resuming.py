"""Taking up a run again that was cancelled, failed or died."""

import json

from safeneuron.errors import UserError
from safeneuron.runs import launcher, store
from safeneuron.runs.info import RunInfo, run_folder, runs_folder
from safeneuron.runs.processes import PROCESS_FILE


def resumable(info: RunInfo) -> bool:
    """Tell whether a run has stopped before its end, and its work can be taken up again."""
    return info.status in ("failed", "cancelled") and (runs_folder() / info.id / launcher.JOB_FILE).is_file()


def resume(run_id: str) -> RunInfo:
    """Start the process of a stopped run again, and return while it works.

    The job finds what it stored before, and decides what of it need not be done again.

    Raises
    ------
    UserError
        When the run is at work, has finished, is being resumed by somebody else, or no process could be started.
    """
    info = store.get_run(run_id)
    if info.active:
        raise UserError(f"The run {info.id[:8]} is still at work; wait for its end, or cancel it first.")
    if info.status == "finished":
        raise UserError(f"The run {info.id[:8]} has finished, so there is nothing to resume; start a new one.")
    if not resumable(info):
        raise UserError(f"The run {info.id[:8]} does not say how it was started; start it again.")
    folder = run_folder(info.id)
    try:
        # Two people may resume it at the same moment; only one of them can make this file.
        (folder / f"resumed-{len(list(folder.glob('resumed-*'))) + 1}").touch(exist_ok=False)
    except FileExistsError:
        raise UserError(f"The run {info.id[:8]} is being resumed already; watch it on the Training page.") from None
    job = json.loads((folder / launcher.JOB_FILE).read_text(encoding="utf-8"))
    (folder / store.CANCEL_FILE).unlink(missing_ok=True)
    # The next process notes itself; until then there is none that could be found dead.
    (folder / PROCESS_FILE).unlink(missing_ok=True)
    anew = {"status": "queued", "phase": "", "step": "", "progress": 0.0, "message": "", "started": None, "ended": None}
    queued = store.change(info.id, "Resumed", **anew)
    try:
        launcher.launch(info.id, job["target"], job["threads"], launcher.launched_how(info.id))
    except UserError as error:
        store.fail(info.id, str(error))
        raise
    return queued
