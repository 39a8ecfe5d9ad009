"""Masked DPO in several processes, with one model each or shards of one, started by ``accelerate launch``.

The run's own process writes model, set and pairs where they find them, passes their progress on, and takes over the
weights that they trained. It had the untrained weights all the while, so that it proves by itself that the frozen
slices are what they were, whatever the processes did.
"""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
from peft import get_peft_model
from safetensors.torch import load_file

from safeneuron.compute import shared_threads
from safeneuron.errors import Cancelled, UserError
from safeneuron.models.folder import save_folder
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts.pair_files import save_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.runs.cluster import Launch
from safeneuron.runs.launcher import environment
from safeneuron.runs.queue import GPU, devices_here
from safeneuron.training.exchange import Exchange, Task
from safeneuron.training.frozen import verify, weight_slices
from safeneuron.training.lora import lora_config, taken_off
from safeneuron.training.masked_dpo import MaskedDPOResult, merge
from safeneuron.training.reporting import OnMetrics
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.watched import RefusalChecks
from safeneuron.training.whole import fill
from safeneuron.workspace import scratch_folder, write_json

LOOK_SECONDS = 0.2
END_SECONDS = 30
"""How long processes that are asked to end have for it."""


def train_distributed(
    loaded: LoadedModel,
    neurons: NeuronSet,
    pairs: Sequence[PreferencePair],
    settings: MaskedDPOSettings,
    progress: Progress = silent,
    on_metrics: OnMetrics | None = None,
    folder: Path | None = None,
    reference: Path | None = None,
    checks: RefusalChecks | None = None,
    launch: Launch = Launch(processes=2),
    variables: Mapping[str, str] | None = None,
) -> MaskedDPOResult:
    """Train ``loaded.model`` in place as :func:`~safeneuron.training.masked_dpo.train_masked_dpo` does, in processes.

    A step takes in as many pairs as in one process, and the losses are the same but for the order of sums.

    Parameters
    ----------
    folder : Path
        Where checkpoints are kept; needed here, and reached by all processes.
    reference : Path, optional
        Log-probabilities that an earlier round of the run kept.
    checks : RefusalChecks, optional
        The refusals that are measured meanwhile.
    launch : Launch
        How many processes, and how they share the model.
    variables : mapping of str to str, optional
        The environment of the processes; :func:`environment_of` by default.

    Raises
    ------
    UserError
        When the pairs of a batch cannot be shared equally, or as train_masked_dpo does.
    """
    launch.share(settings.batch_size)
    with scratch_folder(folder / "processes") as scratch:
        exchange = Exchange(scratch)
        save_folder(loaded.model, loaded.tokenizer, exchange.model, {"title": loaded.card.title, "origin": ""})
        neurons.save(exchange.neurons)
        save_pairs(exchange.pairs, pairs)
        if checks:
            write_json(exchange.checks, checks.to_json())
        device = "cuda" if loaded.device.type == "cuda" else "cpu"
        # Settled here: each process has a part of every batch, and would count more steps to an epoch.
        settled = replace(settings.with_steps(len(pairs)), epochs=None)
        kept = str(reference) if reference else None
        own = psutil.Process().pid
        exchange.give(Task(settled, str(folder), device, launch.sharding, own, socket.gethostname(), kept))
        outcome = _carried_out(
            _command(exchange, launch), exchange, progress, on_metrics, variables or environment_of(launch)
        )
        weights = load_file(exchange.trained)
    start = weight_slices(loaded.model, neurons, settings.freeze_down_column)
    with loaded.lock, taken_off(loaded.model):
        adapter = lora_config(loaded.model, settings)
        adapted = get_peft_model(loaded.model, adapter) if adapter else None
        fill(loaded.model, weights)
        if adapted is not None:
            merge(adapted, start)
    return MaskedDPOResult(outcome["steps"], fmean(outcome["losses"]), verify(start))


def environment_of(launch: Launch) -> dict[str, str]:
    """Return the environment of the processes: each has its share of the threads, and a GPU where the run has some.

    To be asked before this process restricts itself to one GPU.
    """
    found = os.environ | environment(max(1, shared_threads(busy=True) // launch.processes_of_a_node))
    if launch.nodes > 1:
        # Slurm says on each node which GPUs it has given.
        return found
    gpus = [name.removeprefix(GPU) for name in devices_here(launch.processes) if name.startswith(GPU)]
    return found | ({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})


def _carried_out(
    command: Sequence[str],
    exchange: Exchange,
    progress: Progress,
    on_metrics: OnMetrics | None,
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """Start the processes, pass on what they tell until they end, and return how."""
    launcher = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=variables)
    try:
        read, last = 0, None
        running = True
        while running:
            running = launcher.poll() is None
            events, read = exchange.told(read)
            for event in events:
                if "metrics" in event and on_metrics:
                    on_metrics(event["metrics"], event["values"])
                elif "step" in event:
                    last = event["step"], event["fraction"]
            if last and not exchange.stopping():
                try:
                    progress(*last)
                except Cancelled:
                    exchange.stop()
            if running:
                time.sleep(LOOK_SECONDS)
    finally:
        if launcher.poll() is None:
            launcher.terminate()
            with suppress(subprocess.TimeoutExpired):
                launcher.wait(END_SECONDS)
            launcher.kill()
    outcome = exchange.outcome() or {"defect": "they ended without a word; the run's log has their last lines"}
    if outcome.get("cancelled"):
        raise Cancelled
    if "mistake" in outcome:
        raise UserError(outcome["mistake"])
    if "defect" in outcome:
        raise RuntimeError(f"The training processes failed: {outcome['defect']}")
    return outcome


def _command(exchange: Exchange, launch: Launch) -> list[str]:
    """Return the call of ``accelerate launch``; what is left out it would look up in the person's own file."""
    options = {
        "num_processes": launch.processes,
        "num_machines": launch.nodes,
        "main_process_port": 0,
        "gpu_ids": "all",
        "mixed_precision": "no",
        "dynamo_backend": "no",
    }
    if launch.sharding == "fsdp2":
        options |= {
            "fsdp_version": 2,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
            "fsdp_reshard_after_forward": "true",
            "fsdp_cpu_ram_efficient_loading": "false",
            "fsdp_offload_params": "false",
        }
    if launch.nodes > 1:
        options |= {"main_process_ip": socket.gethostname(), "main_process_port": _free_port()}
    kind = "--use_fsdp" if launch.sharding == "fsdp2" else "--multi_gpu"
    said = [kind, *(f"--{name}={value}" for name, value in options.items())]
    start = [sys.executable, "-m", "accelerate.commands.launch", *said]
    module = ["--module", "safeneuron.training.ranks", str(exchange.folder)]
    if launch.nodes == 1:
        return [*start, "--machine_rank=0", *module]
    return _on_every_node(launch, f"exec {shlex.join(start)} --machine_rank=$SLURM_PROCID {shlex.join(module)}")


def _on_every_node(launch: Launch, script: str) -> list[str]:
    """Return the call of srun that runs a script once on each node of the job that this process is in."""
    options = ["--overlap", f"--nodes={launch.nodes}", f"--ntasks={launch.nodes}", "--ntasks-per-node=1"]
    options += ["--kill-on-bad-exit=1"]
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
        options += [f"--cpus-per-task={cores}"]
    return ["srun", *options, "sh", "-c", script]


def _free_port() -> int:
    """Return a port of this machine, on which the first process waits for the others."""
    with socket.socket() as found:
        found.bind(("", 0))
        return found.getsockname()[1]
