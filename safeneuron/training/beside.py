"""How much slower the ablation lab's meter is while a run trains beside it, each with its share of the cores."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from safeneuron.compute import shared_threads, threads
from safeneuron.errors import UserError
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.prompts import builtin
from safeneuron.refusal.panel import Panel
from safeneuron.runs.launcher import environment
from safeneuron.training.reporting import TRAINING

AT_WORK = "training"
TRAINING_THREADS = 1
PAIRS = 16


def beside_ratio(loaded: LoadedModel, neurons: NeuronSet, toggles: int = 6) -> tuple[float, float, float]:
    """Return the median seconds of a toggle on the idle machine, those while a run trains, and their ratio.

    A toggle switches a neuron of another layer each time, on the panel of the pages, on top of ``neurons``. The run
    trains the same model with one thread, and the page has the threads that it takes then.
    """
    idle = _median_seconds(loaded, neurons, toggles, busy=False)
    with _training(loaded.card.source):
        busy = _median_seconds(loaded, neurons, toggles, busy=True)
    return idle, busy, busy / idle


def _median_seconds(loaded: LoadedModel, neurons: NeuronSet, toggles: int, busy: bool) -> float:
    harmful, benign = builtin.panel()
    panel = Panel(loaded, harmful.prompts + benign.prompts)
    layers, width = loaded.shape
    seconds = []
    with threads(shared_threads(busy)):
        panel.scores(neurons)
        for number in range(toggles):
            neuron = (layers * number // toggles, width // 2)
            toggled = NeuronSet(neurons.name, neurons.model, neurons.shape, neurons.neurons ^ {neuron})
            panel.scores(neurons)
            start = time.perf_counter()
            panel.scores(toggled)
            seconds.append(time.perf_counter() - start)
    return median(seconds)


@contextmanager
def _training(source: str) -> Iterator[None]:
    """Let another process train while the block runs, which begins with its second step."""
    command = [sys.executable, "-m", "safeneuron.training.beside", source]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | environment(TRAINING_THREADS)
    )
    try:
        if process.stdout.readline().strip() != AT_WORK:
            raise UserError(f"The model {source} could not be trained beside the measurement; try 'train' by itself.")
        yield
    finally:
        process.kill()
        process.wait()


def main(source: str) -> None:
    """Train a model until killed, and say once that it has begun; nothing of it is kept."""
    import torch

    from safeneuron.models.catalogue import open_model
    from safeneuron.models.device import in_float32_on_one_device
    from safeneuron.training.bench import made_up_pairs
    from safeneuron.training.masked_dpo import train_masked_dpo
    from safeneuron.training.settings import MaskedDPOSettings

    torch.set_num_threads(TRAINING_THREADS)
    in_float32_on_one_device()
    loaded = open_model(source)
    said = False

    def say(step: str, fraction: float) -> None:
        nonlocal said
        if step == TRAINING and fraction > 0 and not said:
            said = True
            print(AT_WORK, flush=True)

    nothing = NeuronSet("none", loaded.fingerprint, loaded.shape, frozenset())
    train_masked_dpo(
        loaded, nothing, made_up_pairs(PAIRS), MaskedDPOSettings(max_steps=100_000, learning_rate=1e-9), say
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
