"""One pass over prompts, from which every observation is made.

One number per prompt and neuron is pooled from the token positions of the templated prompt (the
paper does not say how, paper.md 1.2; ``last`` is the default). Observers take the batches in as they
come, so that memory does not depend on the number of prompts.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import torch

from safeneuron.errors import UserError
from safeneuron.models.batches import in_batches
from safeneuron.models.chat import last_positions, pad, prompt_ids
from safeneuron.models.layout import decoder_layers, mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.observations.moments import MomentsObserver
from safeneuron.observations.observation import RESIDUAL, TOKEN_NORM, Reading, Target
from safeneuron.progress import Progress, silent
from safeneuron.statistics import ActivationStatistics, Pooling, check_pooling, check_prompts


def collect(
    loaded: LoadedModel,
    prompts: Sequence[str],
    pooling: Pooling = "last",
    batch_size: int = 16,
    progress: Progress = silent,
    padding_side: str = "left",
    step: str = "Reading activations",
) -> ActivationStatistics:
    """Run the model once and return the statistics of every neuron; nothing is kept.

    Raises
    ------
    UserError
        When there are fewer than two prompts, or the pooling does not exist, or an activation is no number.
    """
    check_prompts(prompts)
    check_pooling(pooling)
    target = Target(loaded.fingerprint, tuple(prompts), pooling)
    moments = MomentsObserver(loaded, target)

    def update(reading: Reading) -> None:
        moments.take(reading)()

    run_pass(loaded, prompts, [pooling], update, batch_size, progress, padding_side, step)
    return moments.statistics()


@torch.inference_mode()
def run_pass(
    loaded: LoadedModel,
    prompts: Sequence[str],
    watched: Collection[str],
    update: Callable[[Reading], None],
    batch_size: int = 16,
    progress: Progress = silent,
    padding_side: str = "left",
    step: str = "Reading activations",
    done: Collection[int] = frozenset(),
) -> None:
    """Read prompts in batches and hand each batch's values on.

    Parameters
    ----------
    watched : collection of str
        Poolings, :data:`TOKEN_NORM`, :data:`RESIDUAL`.
    update : callable
        Called once a batch; where memory runs out in it, again with half as many rows, so it must add all or nothing.
    done : collection of int
        Rows that an earlier, stopped pass has read; they are passed over.

    Raises
    ------
    UserError
        When an activation is infinite or no number, naming the neuron.
    """
    rows = [row for row in range(len(prompts)) if row not in done]
    ids = [prompt_ids(loaded, prompts[row]) for row in rows]
    read = len(prompts) - len(rows)

    def work(batch: list[int]) -> None:
        encoded = pad(loaded, [ids[place] for place in batch], padding_side)
        reading = Reading([rows[place] for place in batch], values(loaded, encoded, watched))
        _check_finite(reading, prompts)
        update(reading)

    for batch, _ in in_batches([len(row) for row in ids], batch_size, work, progress):
        read += len(batch)
        progress(step, read / len(prompts))


def pooled_activations(loaded: LoadedModel, batch: Mapping[str, torch.Tensor], pooling: Pooling) -> torch.Tensor:
    """Return every neuron's pooled activation ``[n, n_layers, d_mlp]`` on a padded batch, in float32 or wider."""
    return values(loaded, batch, [pooling])[pooling]


def values(loaded: LoadedModel, batch: Mapping[str, torch.Tensor], watched: Collection[str]) -> dict[str, torch.Tensor]:
    """Return what is watched of a padded batch; see :class:`~safeneuron.observations.observation.Reading`."""
    blocks = mlp_blocks(loaded.model)
    count, width = len(batch["input_ids"]), blocks[0].d_mlp
    dtype = _at_least_float32(loaded.model.dtype)
    mask = batch["attention_mask"]
    pools = {pooling: _pooler(mask, pooling) for pooling in watched if pooling != RESIDUAL}
    found = {pooling: torch.empty((count, len(blocks), width), dtype=dtype, device=loaded.device) for pooling in pools}
    # OPT calls its projections with all tokens of the batch in one row.
    grid = (*batch["input_ids"].shape, width)

    def reading(layer: int):
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            activation = inputs[0].reshape(grid)
            for pooling, pool in pools.items():
                found[pooling][:, layer] = pool(activation)

        return hook

    stream: list[torch.Tensor] = []
    last = _pooler(mask, "last")

    def residual(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], answer: object) -> None:
        stream.append(last(answer[0] if isinstance(answer, tuple) else answer).to(loaded.device, dtype))

    with loaded.lock:
        handles = [block.down.register_forward_pre_hook(reading(layer)) for layer, block in enumerate(blocks) if pools]
        if RESIDUAL in watched:
            handles += [layer.register_forward_hook(residual) for layer in decoder_layers(loaded.model)]
        try:
            loaded.model.base_model(**batch, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
    return found | {RESIDUAL: torch.stack(stream, dim=1)} if stream else found


def _check_finite(reading: Reading, prompts: Sequence[str]) -> None:
    for watched, found in reading.values.items():
        # One sum tells of any: it is finite only if all are.
        if torch.isfinite(found.sum()) or bool(torch.isfinite(found).all()):
            continue
        row, layer, index = torch.nonzero(~torch.isfinite(found))[0].tolist()
        place = "Coordinate" if watched == RESIDUAL else "Neuron"
        raise UserError(
            f"{place} {layer}:{index} of this model is {found[row, layer, index].item()} on the prompt "
            f"{prompts[reading.rows[row]][:60]!r}; the weights are damaged, or too large for their type: load the "
            "model with SAFENEURON_LOAD=float32, or get its files again."
        )


def _at_least_float32(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _pooler(attention_mask: torch.Tensor, pooling: str):
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
        dtype = _at_least_float32(activation.dtype)
        if pooling == TOKEN_NORM:
            return (activation * here).norm(dim=1, dtype=dtype)
        # The sum over up to thousands of tokens would lose digits in bfloat16.
        return (activation * here).sum(dim=1, dtype=dtype) / here.sum(dim=1)

    return pool
