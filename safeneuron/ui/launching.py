"""Where a run goes and in how many processes: shown only where there is a choice."""

import streamlit as st

from safeneuron.models.nvidia import visible_gpus
from safeneuron.runs.cluster import Launch, has_slurm
from safeneuron.ui import training_words

HERE, SLURM = "on this machine", "on the cluster (Slurm)"
SHARING = {"ddp": "a whole model on each", "fsdp2": "a shard of one on each"}


MOST = 64
"""Nodes, and GPUs of each."""
SHORTEST, LONGEST = 0.1, 720.0
"""Hours."""
USUAL = {
    "launch_where": HERE,
    "launch_gpus": 1,
    "launch_sharing": "ddp",
    "slurm_partition": "",
    "slurm_nodes": 1,
    "slurm_gpus": 1,
    "slurm_hours": 24.0,
}
"""What the widgets hold at first, by key."""


def fill(how: Launch) -> None:
    """Put how a run was launched into the widgets, before these are drawn."""
    here = how.cluster == "local"
    st.session_state["launch_where"] = HERE if here else SLURM
    st.session_state["launch_sharing"] = how.sharding
    if here:
        st.session_state["launch_gpus"] = how.processes or 1
        return
    st.session_state["slurm_partition"] = how.partition
    # The command line takes more than the form does.
    st.session_state["slurm_nodes"] = min(how.nodes, MOST)
    st.session_state["slurm_gpus"] = min(how.gpus, MOST)
    st.session_state["slurm_hours"] = min(max(how.hours, SHORTEST), LONGEST)


def choose() -> Launch:
    """Draw the choices that this machine has; without any a run is one process here."""
    gpus = len(visible_gpus())
    for key, usual in USUAL.items():
        st.session_state.setdefault(key, usual)
    if not has_slurm():
        return Launch(processes=1) if gpus < 2 else _here(gpus)
    where = st.segmented_control("Run it", [HERE, SLURM], required=True, key="launch_where")
    if where == HERE:
        return Launch(processes=1) if gpus < 2 else _here(gpus)
    first, second, third, fourth = st.columns(4)
    partition = first.text_input(
        "Partition", key="slurm_partition", placeholder="the default", help=training_words.PARTITION
    )
    nodes = second.number_input("Nodes", 1, MOST, step=1, key="slurm_nodes", help=training_words.NODES)
    asked = third.number_input("GPUs of a node", 0, MOST, step=1, key="slurm_gpus", help="0 trains on its CPUs.")
    hours = fourth.number_input("Hours at most", SHORTEST, LONGEST, key="slurm_hours", help=training_words.SLURM_HOURS)
    processes = max(asked, 1) * nodes
    return Launch(processes, _sharing(processes), "slurm", partition.strip(), asked, hours, nodes)


def _here(gpus: int) -> Launch:
    # Another run may have had more.
    st.session_state["launch_gpus"] = min(st.session_state["launch_gpus"], gpus)
    processes = st.number_input(
        "GPUs", 1, gpus, step=1, key="launch_gpus", help="Each trains on its share of every batch."
    )
    return Launch(processes, _sharing(processes))


def _sharing(processes: int) -> str:
    if processes == 1:
        return "ddp"
    return st.segmented_control(
        "Between the GPUs",
        list(SHARING),
        format_func=SHARING.get,
        required=True,
        key="launch_sharing",
        help=training_words.SHARDING,
    )
