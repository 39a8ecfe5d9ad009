"""One of several processes that train together: what ``accelerate launch`` starts as often as was asked.

Each opens the model from the exchange's folder and trains it with the others, with DDP or FSDP2, and the main one
hands over what was trained, whole. Nothing here knows of runs.
"""

import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import DistributedType, broadcast_object_list
from safetensors.torch import save_file
from transformers import TrainerCallback

from safeneuron.errors import Cancelled, UserError
from safeneuron.models.catalogue import open_model
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pair_files import load_pairs
from safeneuron.runs.processes import end_with
from safeneuron.training.exchange import Exchange
from safeneuron.training.masked_dpo import trained
from safeneuron.training.watched import RefusalChecks
from safeneuron.training.watching import RefusalCallback, SpeedCallback
from safeneuron.training.whole import WholeModel, gathered


def main(folder: str) -> None:
    """Train as the exchange in a folder asks."""
    exchange = Exchange(Path(folder))
    task = exchange.task()
    if task.host == socket.gethostname():
        threading.Thread(target=end_with, args=(task.watched,), daemon=True).start()
    try:
        _train(exchange)
    except Cancelled:
        exchange.end({"cancelled": True})
    except UserError as error:
        exchange.end({"mistake": str(error)})
        raise SystemExit(1) from None
    except Exception as error:
        traceback.print_exc()
        exchange.end({"defect": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from None


def _train(exchange: Exchange) -> None:
    task = exchange.task()
    state = _state(task.device, task.sharding)
    main_process, processes = state.is_main_process, state.num_processes
    # To the CPU; the trainer moves it, or the shard of it, to the process' GPU.
    os.environ |= {"SAFENEURON_DEVICE": "cpu", "SAFENEURON_LOAD": "float32"}
    loaded = open_model(str(exchange.model))
    neurons, pairs = NeuronSet.load(exchange.neurons), load_pairs(exchange.pairs)

    def progress(step: str, fraction: float) -> None:
        """Report, and stop in all processes where the run was asked to; at the end there is nothing left to stop."""
        if main_process:
            exchange.tell({"step": step, "fraction": fraction})
        if broadcast_object_list([exchange.stopping()])[0] and fraction < 1.0:
            raise Cancelled

    def on_metrics(step: int, values: Mapping[str, float]) -> None:
        exchange.tell({"metrics": step, "values": dict(values)})

    settings = replace(task.settings, batch_size=task.settings.batch_size // processes)
    watchers: list[TrainerCallback] = [SpeedCallback(on_metrics)] if main_process else []
    if exchange.checks.exists():
        checks = RefusalChecks.from_json(json.loads(exchange.checks.read_text(encoding="utf-8")))
        whole = WholeModel(loaded, settings, main_process)
        # In all processes, each of which has a part of the weights.
        watchers.append(RefusalCallback(checks, whole.refusals, on_metrics if main_process else lambda *_: None))
    with trained(
        loaded,
        neurons,
        pairs,
        settings,
        progress,
        on_metrics if main_process else None,
        Path(task.checkpoints),
        Path(task.reference) if task.reference else None,
        watchers,
        task.device,
    ) as (trainer, _):
        weights = gathered(loaded.model)
        if main_process:
            save_file(weights, exchange.trained)
            losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
            exchange.end({"steps": trainer.state.global_step, "losses": losses})
        state.wait_for_everyone()


def _state(device: str, sharding: str) -> PartialState:
    """Join the other processes."""
    state = PartialState(cpu=device == "cpu")
    if device == "cpu" and sharding == "fsdp2":
        # Accelerate shards between GPUs only, though gloo does so on CPUs as well.
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    return state


if __name__ == "__main__":
    main(*sys.argv[1:])
