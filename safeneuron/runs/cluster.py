"""How a run is launched: in how many processes, on this machine or on a Slurm cluster.

Of a run on a cluster only Slurm knows whether it still waits or works, wherever its process is; it is asked by the
job's number, and not more often than every few seconds, since one controller answers a whole cluster.
"""

import re
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from safeneuron.errors import UserError

Cluster = Literal["local", "slurm"]
Sharding = Literal["ddp", "fsdp2"]
WAITING = "Waiting for Slurm"
MOST_HOURS = 10_000
ASK_SECONDS = 15
ANSWER_SECONDS = 20
OVER = frozenset(
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split()
)
"""Slurm's states of a job that is not going to do anything more."""


class NotTaken(UserError):
    """Slurm does not take a job, of which it says why."""


@dataclass(frozen=True)
class Launch:
    """How a run is launched; kept with it, so that it is resumed in the same way.

    Parameters
    ----------
    processes : int or None
        That train together, on all nodes; None for a job that opens models wherever the pages do.
    sharding : {"ddp", "fsdp2"}
        One whole model in each process (DDP), or a shard of one in each (FSDP2).
    cluster : {"local", "slurm"}
        This machine, or a node that Slurm gives.
    partition : str
        Of the cluster; empty takes its default.
    gpus : int
        That Slurm is asked for on each node; 0 trains on its CPUs.
    hours : float
        After which Slurm ends the run; it writes a checkpoint before.
    nodes : int
        That Slurm is asked for; all of them reach the workspace.
    """

    processes: int | None = None
    sharding: Sharding = "ddp"
    cluster: Cluster = "local"
    partition: str = ""
    gpus: int = 0
    hours: float = 24.0
    nodes: int = 1

    def __post_init__(self) -> None:
        for name, value, known in (("sharding", self.sharding, Sharding), ("cluster", self.cluster, Cluster)):
            if value not in get_args(known):
                raise UserError(f"--{name} is {value!r}; give one of {', '.join(get_args(known))}.")
        if (self.processes is not None and self.processes < 1) or self.gpus < 0 or not 0 < self.hours < MOST_HOURS:
            raise UserError(
                f"A run needs at least one process, and some time, less than {MOST_HOURS:,} hours; change --processes, "
                "--gpus or --hours."
            )
        if self.nodes < 1 or (self.nodes > 1 and self.cluster != "slurm"):
            raise UserError("Several nodes are Slurm's to give, and one is the fewest; add --cluster slurm.")
        if self.cluster != "slurm" and (self.partition or self.gpus):
            raise UserError("A partition and GPUs are asked of Slurm; add --cluster slurm, or leave them out.")
        if (self.processes or 1) % self.nodes:
            raise UserError(
                f"{self.processes or 1} processes cannot be shared equally between {self.nodes} nodes; give "
                "--processes that can be divided by --nodes."
            )
        if self.cluster == "slurm" and self.gpus and self.processes_of_a_node > self.gpus:
            raise UserError(
                f"{self.processes_of_a_node} processes of a node need a GPU each, and Slurm is asked for {self.gpus}; "
                "raise --gpus."
            )
        if self.sharding == "fsdp2" and (self.processes or 1) == 1:
            raise UserError("FSDP2 shards a model between several processes; raise --processes.")

    @property
    def several(self) -> bool:
        """Whether more than one process trains."""
        return (self.processes or 1) > 1

    @property
    def processes_of_a_node(self) -> int:
        """How many processes train on each node."""
        return (self.processes or 1) // self.nodes

    def require_here(self) -> None:
        """Refuse a cluster that this machine cannot give a job to; its nodes, where the run works, need not be able to.

        Raises
        ------
        UserError
            When there is no Slurm.
        """
        if self.cluster == "slurm" and not has_slurm():
            raise UserError("There is no Slurm here (sbatch is not found); leave --cluster out.")

    def share(self, pairs: int) -> int:
        """Return how many of a batch's pairs each process takes.

        Raises
        ------
        UserError
            When they cannot all have the same number.
        """
        processes = self.processes or 1
        if pairs % processes:
            raise UserError(
                f"{pairs} pairs cannot be shared equally between {processes} processes; give a --batch-size that can "
                "be divided by --processes."
            )
        return pairs // processes

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


def has_slurm() -> bool:
    """Tell whether jobs can be given to Slurm from this machine."""
    return shutil.which("sbatch") is not None


def is_known(job: str) -> bool:
    """Tell whether Slurm still has a job to do; where it cannot be asked, as from a laptop, it is taken to have."""
    return _last_answer(job, int(time.time() // ASK_SECONDS)) is not None


def waiting(job: str) -> str:
    """Return a job's number and, in Slurm's word such as ``Priority``, why it waits; empty where it does not."""
    reason = _last_answer(job, int(time.time() // ASK_SECONDS))
    return f"{WAITING}: job {job}, {reason}" if reason else ""


@lru_cache(maxsize=256)
def _last_answer(job: str, moment: int) -> str | None:
    return ask(job)


def ask(job: str) -> str | None:
    """Ask Slurm after a job: None once it is over, else why it waits, empty where it works or nobody knows."""
    if shutil.which("squeue") is None:
        return ""
    command = ["squeue", "--noheader", "--format=%T %r", "--states=all", f"--jobs={job}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    if answer.returncode:
        # Of a job that is over for some minutes it knows nothing; any other failure says nothing of the job.
        return None if "Invalid job id" in answer.stderr else ""
    state, _, reason = answer.stdout.strip().partition(" ")
    if not state or state in OVER:
        return None
    return reason if state == "PENDING" and reason != "None" else ""


def withdraw(job: str) -> bool:
    """Take a job back that still waits; return whether it is gone, since one that works is left alone."""
    command = ["scancel", "--state=PENDING", job]
    subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS)
    return ask(job) is None


def refused_by_slurm(log: Path) -> str:
    """Return a sentence with what sbatch wrote into a log of why it takes no job; empty where it wrote nothing."""
    said = re.findall("sbatch: error: (.+)", log.read_text(encoding="utf-8", errors="replace"))
    # Its last line is the outcome, those before are the reasons.
    reasons = "; ".join(dict.fromkeys(text.rstrip(".") for text in said))
    return f"Slurm does not take the run: {reasons}. `sinfo` lists its partitions and nodes." if said else ""
