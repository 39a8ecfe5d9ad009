"""One pass over prompts gives every neuron's activation statistics.

One number per prompt and neuron is pooled from the token positions of the templated prompt (the
paper does not say how, paper.md 1.2; ``last`` is the default), and count, mean and variance are
kept by the streaming update of Chan, Golub and LeVeque (1979) in float64. Memory does not depend
on the number of prompts.
"""

from collections.abc import Mapping, Sequence

import torch

from safeneuron.models.batches import in_batches
from safeneuron.models.chat import last_positions, pad, prompt_ids
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.statistics import ActivationStatistics, Pooling, check_pooling, check_prompts, statistics_fingerprint


class StreamingMoments:
    """Count, mean and sum of squared deviations of rows that arrive in batches (Chan et al. 1979)."""

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        # Apple's GPU has no float64.
        device = torch.device("cpu") if device.type == "mps" else device
        self.count = 0
        self.mean = torch.zeros(shape, dtype=torch.float64, device=device)
        self.squares = torch.zeros(shape, dtype=torch.float64, device=device)

    def update(self, rows: torch.Tensor) -> None:
        """Add a batch ``[n, *shape]`` of any type; all of it or, where memory runs out, nothing."""
        rows = rows.to(self.mean.device).double()
        added = rows.shape[0]
        batch_mean = rows.mean(dim=0)
        delta = batch_mean - self.mean
        total = self.count + added
        spread = (rows - batch_mean).square().sum(dim=0) + delta.square() * (self.count * added / total)
        squares, mean = self.squares + spread, self.mean + delta * (added / total)
        self.count, self.mean, self.squares = total, mean, squares


@torch.inference_mode()
def collect(
    loaded: LoadedModel,
    prompts: Sequence[str],
    pooling: Pooling = "last",
    batch_size: int = 16,
    progress: Progress = silent,
    padding_side: str = "left",
    step: str = "Reading activations",
) -> ActivationStatistics:
    """Run the prompts through the model once and return the statistics of every neuron.

    Raises
    ------
    UserError
        When there are fewer than two prompts, or the pooling does not exist.
    """
    check_prompts(prompts)
    check_pooling(pooling)
    rows = [prompt_ids(loaded, prompt) for prompt in prompts]
    shape = loaded.shape
    moments = StreamingMoments(shape, loaded.device)

    def read(batch: list[int]) -> None:
        encoded = pad(loaded, [rows[row] for row in batch], padding_side)
        moments.update(pooled_activations(loaded, encoded, pooling))

    for _ in in_batches([len(row) for row in rows], batch_size, read, progress):
        progress(step, moments.count / len(prompts))
    return ActivationStatistics(
        count=moments.count,
        mean=moments.mean.cpu().numpy(),
        variance=(moments.squares / (moments.count - 1)).cpu().numpy(),
        pooling=pooling,
        fingerprint=statistics_fingerprint(loaded.fingerprint, prompts, pooling),
    )


def pooled_activations(loaded: LoadedModel, batch: Mapping[str, torch.Tensor], pooling: Pooling) -> torch.Tensor:
    """Return every neuron's pooled activation ``[n, n_layers, d_mlp]`` on a padded batch, in float32 or wider."""
    blocks = mlp_blocks(loaded.model)
    shape = len(batch["input_ids"]), len(blocks), blocks[0].d_mlp
    pooled = torch.empty(shape, dtype=_at_least_float32(loaded.model.dtype), device=loaded.device)
    pool = _pooler(batch["attention_mask"], pooling)
    # OPT calls its projections with all tokens of the batch in one row.
    grid = (*batch["input_ids"].shape, blocks[0].d_mlp)

    def reading(layer: int):
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            pooled[:, layer] = pool(inputs[0].reshape(grid))

        return hook

    with loaded.lock:
        handles = [block.down.register_forward_pre_hook(reading(layer)) for layer, block in enumerate(blocks)]
        try:
            loaded.model.base_model(**batch, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
    return pooled


def _at_least_float32(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _pooler(attention_mask: torch.Tensor, pooling: Pooling):
    real = attention_mask.bool().unsqueeze(-1)
    rows = torch.arange(attention_mask.shape[0], device=attention_mask.device)
    last = last_positions(attention_mask)

    # Where a model is spread over several GPUs, a layer's activations lie on another one than the mask.
    def pool(activation: torch.Tensor) -> torch.Tensor:
        here = real.to(activation.device)
        if pooling == "last":
            return activation[rows.to(activation.device), last.to(activation.device)]
        if pooling == "max":
            return activation.masked_fill(~here, -torch.inf).amax(dim=1)
        # The sum over up to thousands of tokens would lose digits in bfloat16.
        return (activation * here).sum(dim=1, dtype=_at_least_float32(activation.dtype)) / here.sum(dim=1)

    return pool
