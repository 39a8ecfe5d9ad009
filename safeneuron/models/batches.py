"""Batches that shrink when memory runs out, so that work goes on more slowly instead of ending.

What the caller computes may depend on the batch size only by rounding, so an answer, a score or a sum is the
same whether it was computed at once or in halves; and a batch that ran out of memory leaves no trace in it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from safeneuron.errors import UserError
from safeneuron.models.chat import batches_by_length
from safeneuron.models.device import largest_batch
from safeneuron.models.memory import release
from safeneuron.progress import Progress

Result = TypeVar("Result")

MESSAGES = ("can't allocate memory", "not enough memory", "defaultcpuallocator", "out of memory")
"""How PyTorch's own RuntimeErrors say it on a CPU and on Apple's GPUs, in lower case."""


def in_batches(
    lengths: Sequence[int], batch_size: int, work: Callable[[list[int]], Result], progress: Progress
) -> Iterator[tuple[list[int], Result]]:
    """Yield batches of row numbers, each with what ``work`` made of it; halved whenever memory runs out.

    Parameters
    ----------
    lengths : sequence of int
        Tokens in each row; similar ones come together, the longest first.
    batch_size : int
        To begin with, or fewer where ``SAFENEURON_BATCH`` says so.
    work : callable
        Called again with half as many rows where it ran out of memory, so it must change nothing but its result.
    progress : Progress
        Told when the batches are halved.

    Raises
    ------
    UserError
        When not even one row fits.
    """
    waiting = batches_by_length(lengths, largest_batch(batch_size))
    done = 0
    while waiting:
        batch = waiting[0]
        try:
            result = work(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            yield batch, result
            del waiting[0]
            done += len(batch)
            continue
        # Only here, after the exception with its traceback is gone: it holds the tensors of the failed pass.
        release()
        if len(batch) == 1:
            raise UserError(
                f"Memory ran out on a single text of {lengths[batch[0]]} tokens; close other programs, shorten it, "
                "load the model in fewer bits (SAFENEURON_LOAD=bfloat16 or 4bit), or choose a smaller model."
            )
        size = len(batch) // 2
        rows = [row for rest in waiting for row in rest]
        waiting = [rows[start : start + size] for start in range(0, len(rows), size)]
        progress(f"Memory ran out: going on with batches of {size}", done / len(lengths))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there was no memory left, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in MESSAGES)
