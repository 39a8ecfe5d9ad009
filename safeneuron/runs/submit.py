"""The helper that hands a run to submitit: ``python -m safeneuron.runs.submit RUN_ID``."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from submitit import AutoExecutor

from safeneuron.runs.cluster import Launch
from safeneuron.runs.info import read_info, run_folder
from safeneuron.runs.launcher import JOB_FILE, environment, launched_how
from safeneuron.runs.processes import record_job, record_process
from safeneuron.runs.worker import carry_out

LONGEST_RUN_MINUTES = 60 * 24 * 30
"""Submitit ends a local job after two minutes unless told otherwise."""
SLURM_THREADS = "${SLURM_CPUS_PER_TASK:-1}"


def main(run_id: str) -> None:
    """Start the job and note its process, or its number in Slurm; the job itself notes the same with its own."""
    folder = run_folder(run_id)
    job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    how = launched_how(run_id)
    executor = AutoExecutor(folder=folder / "log", cluster=how.cluster)
    if how.cluster == "local":
        executor.update_parameters(timeout_min=LONGEST_RUN_MINUTES)
    else:
        executor.update_parameters(**_slurm_parameters(folder, how, job["threads"]))
    submitted = executor.submit(carry_out, run_id, job["target"])
    if how.cluster == "local":
        record_process(folder, int(submitted.job_id))
    else:
        record_job(folder, submitted.job_id)


def _slurm_parameters(folder: Path, how: Launch, threads: int | None) -> dict[str, Any]:
    """Return what Slurm is asked for; its nodes may not take over the environment, so that is said as well."""
    parameters = {
        "name": f"safeneuron {read_info(folder).name}",
        "timeout_min": round(how.hours * 60),
        "nodes": how.nodes,
        "tasks_per_node": 1,
    }
    # The run itself is one process, on the first node; it starts those that train on the others.
    parameters["slurm_srun_args"] = ["--nodes=1", "--ntasks=1"]
    if how.partition:
        parameters["slurm_partition"] = how.partition
    if how.gpus:
        parameters["gpus_per_node"] = how.gpus
    if threads:
        parameters["cpus_per_task"] = threads
        # Said twice: srun does not take it over from sbatch since Slurm 22.05, and would bind the run to one core.
        parameters["slurm_srun_args"].append(f"--cpus-per-task={threads}")
    known = environment(1) | {"SAFENEURON_THREADS": SLURM_THREADS, "OMP_NUM_THREADS": SLURM_THREADS}
    quoted = {key: value if value == SLURM_THREADS else shlex.quote(value) for key, value in known.items()}
    parameters["slurm_setup"] = [f"export {key}={value}" for key, value in quoted.items()]
    return parameters


if __name__ == "__main__":
    main(*sys.argv[1:])
