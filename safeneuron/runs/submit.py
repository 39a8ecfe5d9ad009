"""The helper that hands a run to submitit: ``python -m safeneuron.runs.submit RUN_ID MODULE:FUNCTION``."""

import sys

from submitit import AutoExecutor

from safeneuron.runs.info import run_folder
from safeneuron.runs.processes import record_process
from safeneuron.runs.worker import carry_out

LONGEST_RUN_MINUTES = 60 * 24 * 30
"""Submitit ends a local job after two minutes unless told otherwise."""


def main(run_id: str, target: str) -> None:
    """Start the job and note its process; the job itself overwrites that note with its own."""
    folder = run_folder(run_id)
    executor = AutoExecutor(folder=folder / "log", cluster="local")
    executor.update_parameters(timeout_min=LONGEST_RUN_MINUTES)
    job = executor.submit(carry_out, run_id, target)
    record_process(folder, int(job.job_id))


if __name__ == "__main__":
    main(*sys.argv[1:])
