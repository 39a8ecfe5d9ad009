"""When memory runs out the batch is halved, the person told, and every number is what it would have been."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from safeneuron.activations import collect
from safeneuron.errors import UserError
from safeneuron.generation import generate
from safeneuron.models import batches
from safeneuron.models.batches import in_batches, is_out_of_memory
from safeneuron.observations.moments import StreamingMoments
from safeneuron.perplexity import perplexity
from safeneuron.refusal.log_odds import refusal_scores

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    MemoryError(),
]


@contextmanager
def small_memory(loaded, most, error=ERRORS[0]):
    """Let the model run out of memory on batches of more than ``most`` rows, late, in its last layer."""
    sizes = []

    def refuse(module, inputs):
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > most:
            raise error

    handle = loaded.model.model.layers[-1].mlp.down_proj.register_forward_pre_hook(refuse)
    try:
        yield sizes
    finally:
        handle.remove()


def scored(loaded, prompts, progress):
    found = collect(loaded, prompts, batch_size=7, progress=progress)
    return np.stack([found.mean, found.variance, np.full(found.mean.shape, found.count)])


def answered(loaded, prompts, progress):
    told = []
    answers = generate(loaded, prompts, 6, 7, progress, told.extend)
    assert sorted(answer.prompt for answer in told) == sorted(prompts)
    return np.array([answer.token_ids for answer in answers])


def refused(loaded, prompts, progress):
    return refusal_scores(loaded, prompts, 7, progress)


def perplexed(loaded, prompts, progress):
    return np.array(perplexity(loaded, generate(loaded, prompts, 6, 1), 7, progress))


@pytest.mark.parametrize("work", [scored, answered, refused, perplexed])
@pytest.mark.parametrize("most", [1, 2, 3, 6])
def test_numbers_are_the_same_with_little_memory(make_tiny, prompts, work, most, count_hooks):
    loaded = make_tiny("llama", dtype=torch.float64)
    expected = work(loaded, prompts, lambda step, fraction: None)
    steps = []
    with small_memory(loaded, most) as sizes:
        found = work(loaded, prompts, lambda step, fraction: steps.append(step))
    assert max(sizes) == 7 and sizes[-1] <= most
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    halved = {step for step in steps if step.startswith("Memory ran out: going on with batches of")}
    assert len(halved) == {1: 2, 2: 2, 3: 1, 6: 1}[most]
    assert count_hooks(loaded) == 0


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_way_of_saying_it_is_understood(llama, prompts, error):
    assert is_out_of_memory(error)
    with small_memory(llama, 2, error) as sizes:
        refusal_scores(llama, prompts, 4)
    assert 4 in sizes and 2 in sizes


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("out of memory")])
def test_other_errors_are_not_hidden(llama, prompts, error):
    with pytest.raises(type(error), match=str(error)), small_memory(llama, 0, error):
        refusal_scores(llama, prompts)


def test_a_single_prompt_that_does_not_fit_is_refused_in_words(llama, prompts, count_hooks):
    with pytest.raises(UserError, match=r"single text of \d+ tokens.*smaller model"), small_memory(llama, 0):
        collect(llama, prompts)
    assert count_hooks(llama) == 0


def test_memory_is_given_back_once_nothing_of_the_failed_batch_is_left(monkeypatch):
    import gc
    import weakref

    held, alive = [], []
    monkeypatch.setattr(batches, "release", lambda: alive.append([reference() is not None for reference in held]))

    def work(batch):
        tensor = torch.zeros(3)
        held.append(weakref.ref(tensor))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("no")
        return len(batch)

    gc.disable()
    try:
        found = list(in_batches([5, 4, 3, 2], 4, work, lambda step, fraction: None))
    finally:
        gc.enable()
    assert [batch for batch, _ in found] == [[0], [1], [2], [3]]
    assert alive == [[False], [False, False]]


def test_a_batch_that_fails_half_way_is_not_counted(monkeypatch):
    moments = StreamingMoments((2,), torch.device("cpu"))
    moments.update(torch.ones(3, 2))
    before = moments.count, moments.mean.clone(), moments.squares.clone()
    calls = []

    def square(self):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("no")
        return self * self

    monkeypatch.setattr(torch.Tensor, "square", square)
    with pytest.raises(torch.OutOfMemoryError):
        moments.update(torch.arange(6.0).view(3, 2))
    assert moments.count == before[0]
    assert torch.equal(moments.mean, before[1]) and torch.equal(moments.squares, before[2])


@pytest.mark.parametrize(("asked", "sizes"), [("2", [2, 2, 1]), ("9", [5])])
def test_the_person_may_ask_for_smaller_batches(monkeypatch, asked, sizes):
    monkeypatch.setenv("SAFENEURON_BATCH", asked)
    assert [len(batch) for batch, _ in in_batches([1] * 5, 5, len, lambda *_: None)] == sizes


@pytest.mark.parametrize("asked", ["0", "-1", "many"])
def test_batches_of_nothing_are_refused(monkeypatch, asked):
    monkeypatch.setenv("SAFENEURON_BATCH", asked)
    with pytest.raises(UserError, match="SAFENEURON_BATCH is"):
        list(in_batches([1], 5, len, lambda *_: None))
