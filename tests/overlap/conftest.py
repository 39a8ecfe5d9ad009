"""Sets of made-up categories, small enough to count by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from safeneuron.overlap.categories import CategorySets


@pytest.fixture
def make_sets() -> Callable[..., CategorySets]:
    """Return a function that makes category sets of neurons ``(layer, j)``: ``make_sets({(0, 1)}, {(0, 2)})``."""

    def make(*chosen: set[tuple[int, int]], shape: tuple[int, int] = (3, 20)) -> CategorySets:
        masks = np.zeros((len(chosen), *shape), dtype=bool)
        for mask, neurons in zip(masks, chosen, strict=True):
            for neuron in neurons:
                mask[neuron] = True
        return CategorySets("tiny", tuple("abcdefghijklmnop"[: len(chosen)]), masks)

    return make


@pytest.fixture
def random_sets(make_sets) -> CategorySets:
    """Five overlapping sets."""
    generator = np.random.default_rng(0)
    common = {(layer, j) for layer in range(3) for j in range(4)}
    drawn = [{tuple(map(int, pair)) for pair in generator.integers(0, (3, 20), size=(12, 2))} for _ in range(5)]
    return make_sets(*(common | neurons for neurons in drawn))


@pytest.fixture
def trained(make_tiny):
    """A model of the same shape with other weights."""
    other = make_tiny("llama")
    with torch.no_grad():
        for weight in other.model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * weight.std())
    return replace(other, card=replace(other.card, fingerprint="trained"))
