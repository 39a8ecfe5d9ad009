"""The table "What must be fast" of the design, each row a ratio of two things measured in one run.

Timings of one run on one machine compare; timings of two runs do not. Each row alternates between
its two sides and takes medians, so that a machine that slows down slows both.
"""

import time
from collections.abc import Callable
from statistics import fmean, median
from typing import Any

import numpy as np
import psutil
import torch

from safeneuron.ablation.hooks import ablate
from safeneuron.activations import collect
from safeneuron.generation import generate
from safeneuron.models.chat import batches_by_length, pad, prompt_ids
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.refusal.log_odds import refusal_scores
from safeneuron.refusal.panel import Panel
from safeneuron.scoring import score_table


def run_benchmarks(loaded: LoadedModel, progress: Progress = silent) -> list[dict[str, Any]]:
    """Return a row per line of the table: name, ratio, target, met, detail."""
    parts: list[Callable[[LoadedModel], list[dict[str, Any]]]] = [
        scoring_pass,
        scoring_memory,
        panel_toggle,
        generation_under_ablation,
        masked_dpo_step,
        masked_dpo_memory,
        panel_beside_a_run,
        figures,
        second_visit,
    ]
    rows = []
    for number, part in enumerate(parts):
        progress(f"Measuring: {part.__name__.replace('_', ' ')}", number / len(parts))
        rows += part(loaded)
    return rows


def scoring_pass(loaded: LoadedModel, repeats: int = 5) -> list[dict[str, Any]]:
    """Scoring pass over prompts, all neurons, against the bare forward passes on the same batches."""
    prompts = builtin.harmful("train").prompts[:64]
    rows = [prompt_ids(loaded, prompt) for prompt in prompts]
    batches = [pad(loaded, [rows[row] for row in batch]) for batch in batches_by_length([len(row) for row in rows], 16)]

    @torch.inference_mode()
    def bare() -> None:
        for batch in batches:
            loaded.model.base_model(**batch, use_cache=False)

    ratio = _ratio(lambda: collect(loaded, prompts, batch_size=16), bare, repeats)
    return [_row("scoring pass : bare forward passes", ratio, 1.10, f"{len(prompts)} prompts, batches of 16")]


def scoring_memory(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Memory of the scoring pass at 4096 prompts against 128: the largest resident size between batches."""
    process = psutil.Process()
    built_in = builtin.harmful("train").prompts
    peaks = []
    for total in (128, 4096):
        sizes: list[int] = []
        prompts = [built_in[number % len(built_in)] for number in range(total)]
        collect(loaded, prompts, progress=lambda step, done, seen=sizes: seen.append(process.memory_info().rss))
        peaks.append(max(sizes))
    growth = (peaks[1] - peaks[0]) / 2**20
    return [
        {
            "name": "memory at 4096 prompts : at 128",
            "ratio": peaks[1] / peaks[0],
            "target": "< 64 MB more",
            "met": growth < 64,
            "detail": f"{growth:.1f} MB more",
        }
    ]


def panel_toggle(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Refusal scores of a panel after one toggle, averaged over layers, against a full forward without any sharing.

    Of 16 prompts and of the pages' panel; once with nothing else off, and once switching a neuron of FULL in or out.
    Every layer is toggled, each time to what was not computed before: switching back costs less. A full forward,
    which costs the same whatever the layer, is timed at every third.
    """
    harmful, benign = builtin.panel()
    layers, width = loaded.shape
    rows = []
    for half in (8, len(harmful)):
        prompts = harmful.prompts[:half] + benign.prompts[:half]
        panel = Panel(loaded, prompts)
        for name, off in (("nothing else", frozenset()), ("FULL", score_table(loaded).select()["FULL"].neurons)):
            present = NeuronSet(name, loaded.fingerprint, loaded.shape, off)

            def full_forward() -> None:
                with ablate(loaded, present):
                    refusal_scores(loaded, prompts)

            full_forward()
            toggled, whole = [], []
            for layer in range(layers):
                toggle = NeuronSet(name, loaded.fingerprint, loaded.shape, off ^ {(layer, width // 2)})
                panel.scores(present)
                toggled.append(_seconds(lambda: panel.scores(toggle)))
                if layer % 3 == 0:
                    whole.append(_seconds(full_forward))
            seconds = f"{fmean(toggled):.2f} s, at most {max(toggled):.2f} s, against {fmean(whole):.2f} s"
            detail = f"{len(prompts)} prompts, mean over {layers} layers, {name} off: {seconds}"
            rows.append(_row("panel score after a toggle : full forward", fmean(toggled) / fmean(whole), 0.6, detail))
    return rows


def generation_under_ablation(loaded: LoadedModel, repeats: int = 3) -> list[dict[str, Any]]:
    """Time per generated token with FULL ablated against without."""
    full = score_table(loaded).select()["FULL"]
    prompts = builtin.benign("test").prompts[:8]

    def seconds_per_token(neurons: NeuronSet | None) -> float:
        start = time.perf_counter()
        tokens = sum(len(answer.token_ids) for answer in generate(loaded, prompts, 32, ablated=neurons))
        return (time.perf_counter() - start) / tokens

    seconds_per_token(None)
    pairs = [(seconds_per_token(full), seconds_per_token(None)) for _ in range(repeats)]
    ratio = median(ablated for ablated, _ in pairs) / median(whole for _, whole in pairs)
    return [_row("generation under ablation : without", ratio, 1.05, f"8 prompts, {len(full)} neurons of FULL")]


def masked_dpo_step(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Masked DPO step against plain TRL DPO step."""
    from safeneuron.training.bench import step_ratio

    neurons = score_table(loaded).select()["FULL"]
    adapter = step_ratio(loaded, neurons, lora_rank=16)
    return [
        _row("masked DPO step : plain TRL step, full weights", step_ratio(loaded, neurons), 1.05, "8 pairs a step"),
        _row("masked DPO step : plain TRL step, LoRA", adapter, 1.05, "8 pairs a step, rank 16, all linear modules"),
    ]


def masked_dpo_memory(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Largest resident size of a masked DPO run against that of a plain TRL one, each in its own process."""
    from safeneuron.training.memory_beside_plain import memory_ratio

    rows = []
    for what, rank in (("full weights", 0), ("LoRA", 16)):
        plain, masked, ratio = memory_ratio(loaded.card.source, rank)
        detail = f"{masked / 1e6:,.0f} MB against {plain / 1e6:,.0f} MB, medians of 3 processes each"
        rows.append(_row(f"masked DPO memory : plain TRL memory, {what}", ratio, 1.02, detail))
    return rows


def panel_beside_a_run(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Refusal scores of the pages' panel after one toggle while a run trains, against the same on the idle machine."""
    from safeneuron.training.beside import beside_ratio

    idle, busy, ratio = beside_ratio(loaded, score_table(loaded).select()["FULL"])
    detail = f"median of toggles across the layers, FULL off: {busy:.2f} s against {idle:.2f} s; one thread trains"
    return [_row("panel score while a run trains : idle", ratio, 3.0, detail)]


def figures(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Size and building time of the neuron map, from 12 × 3072 to 80 × 28672 neurons."""
    from safeneuron.plots.neuron_map import neuron_map

    rows = []
    for layers, width in ((12, 3072), loaded.shape, (80, 28672)):
        values = np.random.default_rng(0).normal(size=(layers, width))
        members = from_mask("above 3", "random values", values > 3)
        start = time.perf_counter()
        means = {"mean harmful": values, "mean benign": values}
        text = neuron_map(values, "ES", "d", members, "random values", means=means).plotly.to_json()
        seconds, megabytes = time.perf_counter() - start, len(text.encode()) / 1e6
        detail = f"{megabytes:.2f} MB (at most 1), {seconds:.2f} s (at most 0.5)"
        rows.append(
            {
                "name": f"neuron map {layers} × {width}",
                "ratio": max(megabytes / 1, seconds / 0.5),
                "target": "at most 1",
                "met": megabytes <= 1 and seconds <= 0.5,
                "detail": detail,
            }
        )
    return rows


def second_visit(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Scores on the second visit of a page: read from disk, against computing them."""
    harmful, benign = builtin.harmful("validation"), builtin.benign("validation")
    start = time.perf_counter()
    for prompts in (harmful, benign):
        collect(loaded, prompts.prompts)
    computed = time.perf_counter() - start
    score_table(loaded, harmful, benign)
    calls: list[int] = []
    handle = loaded.model.base_model.register_forward_pre_hook(lambda *_: calls.append(1))
    start = time.perf_counter()
    try:
        score_table(loaded, harmful, benign)
    finally:
        handle.remove()
    again = time.perf_counter() - start
    return [
        {
            "name": "scores, second visit : first",
            "ratio": again / computed,
            "target": "no model work",
            "met": not calls,
            "detail": f"{len(calls)} forward passes",
        }
    ]


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _ratio(one: Callable[[], Any], other: Callable[[], Any], repeats: int) -> float:
    """Median time of one over the other's, measured in turns after a warm-up of each."""
    one(), other()
    times: dict[str, list[float]] = {"one": [], "other": []}
    for _ in range(repeats):
        for name, work in (("one", one), ("other", other)):
            times[name].append(_seconds(work))
    return median(times["one"]) / median(times["other"])


def _row(name: str, ratio: float, target: float, detail: str) -> dict[str, Any]:
    return {"name": name, "ratio": ratio, "target": f"at most {target:.2f}", "met": ratio <= target, "detail": detail}
