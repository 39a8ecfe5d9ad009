"""Where a run goes and in how many processes: shown only where there is a choice."""

import streamlit as st

from safeneuron.models.nvidia import visible_gpus
from safeneuron.runs.cluster import Launch, has_slurm
from safeneuron.ui import training_words

HERE, SLURM = "on this machine", "on the cluster (Slurm)"
SHARING = {"ddp": "a whole model on each", "fsdp2": "a shard of one on each"}


def choose() -> Launch:
    """Draw the choices that this machine has; without any a run is one process here."""
    gpus = len(visible_gpus())
    if not has_slurm():
        return Launch(processes=1) if gpus < 2 else _here(gpus)
    where = st.segmented_control("Run it", [HERE, SLURM], default=HERE, required=True, key="launch_where")
    if where == HERE:
        return Launch(processes=1) if gpus < 2 else _here(gpus)
    first, second, third, fourth = st.columns(4)
    partition = first.text_input(
        "Partition", key="slurm_partition", placeholder="the default", help=training_words.PARTITION
    )
    nodes = second.number_input("Nodes", 1, 64, 1, key="slurm_nodes", help=training_words.NODES)
    asked = third.number_input("GPUs of a node", 0, 64, 1, key="slurm_gpus", help="0 trains on its CPUs.")
    hours = fourth.number_input("Hours at most", 0.1, 720.0, 24.0, key="slurm_hours", help=training_words.SLURM_HOURS)
    processes = max(asked, 1) * nodes
    return Launch(processes, _sharing(processes), "slurm", partition.strip(), asked, hours, nodes)


def _here(gpus: int) -> Launch:
    processes = st.number_input("GPUs", 1, gpus, 1, key="launch_gpus", help="Each trains on its share of every batch.")
    return Launch(processes, _sharing(processes))


def _sharing(processes: int) -> str:
    if processes == 1:
        return "ddp"
    return st.segmented_control(
        "Between the GPUs",
        list(SHARING),
        format_func=SHARING.get,
        default="ddp",
        required=True,
        key="launch_sharing",
        help=training_words.SHARDING,
    )
