"""What each score costs, as a multiple of one bare forward pass over the prompts that it reads.

Everything is computed anew in an empty workspace, from the pass over the prompts to the values; only the
model's own answers, which some scores learn from, are generated beforehand, since pages keep them. A score
that compares two models is measured on one model against itself: that costs the same. On a CPU what is
compared is the time that the processor spent on it, of which other programs take nothing.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from safeneuron.models.chat import batches_by_length, pad, prompt_ids
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.classes import PromptClasses, prompt_classes
from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import scores
from safeneuron.scoring import compute_scores
from safeneuron.workspace import workspace

PROMPTS = 32
"""Of each class."""
REPEATS = 3


def score_costs(loaded: LoadedModel, progress: Progress = silent) -> list[dict[str, Any]]:
    """Return a row per score: its name, passes, seconds, and the prompts that it read."""
    classes = prompt_classes(builtin.harmful("train").head(PROMPTS), builtin.benign("train").head(PROMPTS))
    clock = _clock(loaded)
    rows = []
    with _empty_workspace():
        for number, name in enumerate(scores()):
            progress(f"Measuring: {name}", number / len(scores()))
            request = ScoreRequest(name, loaded.fingerprint, classes, other="the same")
            # Once for what is generated and for libraries that are imported late.
            _compute(request, loaded)
            seconds, passes = [], []
            for _ in range(REPEATS):
                bare = _seconds_of_bare_pass(loaded, classes, request)
                for folder in ("observations", "scores"):
                    shutil.rmtree(workspace() / folder, ignore_errors=True)
                start = clock()
                _compute(request, loaded)
                seconds.append(clock() - start)
                passes.append(seconds[-1] / bare)
            rows.append(
                {"name": name, "passes": median(passes), "seconds": median(seconds), "prompts": request.n_prompts}
            )
    return rows


def _compute(request: ScoreRequest, loaded: LoadedModel) -> None:
    compute_scores([request], lambda: loaded, lambda: loaded)


@torch.inference_mode()
def _seconds_of_bare_pass(loaded: LoadedModel, classes: PromptClasses, request: ScoreRequest) -> float:
    """Return how long the forward passes alone take on the prompts that a score reads."""
    clock = _clock(loaded)
    kinds = [classes.harmful] if request.score.harmful_only else [classes.harmful, classes.benign]
    start = clock()
    for prompts in kinds:
        rows = [prompt_ids(loaded, prompt) for prompt in prompts.prompts[: request.options.get("prompts")]]
        for batch in batches_by_length([len(row) for row in rows], 16):
            loaded.model.base_model(**pad(loaded, [rows[row] for row in batch]), use_cache=False)
    return clock() - start


def _clock(loaded: LoadedModel) -> Callable[[], float]:
    return time.process_time if loaded.device.type == "cpu" else time.perf_counter


@contextmanager
def _empty_workspace() -> Iterator[None]:
    before = os.environ.get("SAFENEURON_HOME")
    with TemporaryDirectory() as folder:
        os.environ["SAFENEURON_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["SAFENEURON_HOME"]
            else:
                os.environ["SAFENEURON_HOME"] = before
