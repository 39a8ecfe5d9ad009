"""Why a run failed, in plain words."""

import errno

from safeneuron.workspace import FULL_DISK

NO_MEMORY = (
    "Memory ran out: what was saved stays, and resuming goes on from there; close other programs, or start again with "
    "a smaller batch (--batch-size), shorter pairs (--max-length) or a LoRA adapter (--lora-rank)."
)
NO_DISK = "The disk is full: what was saved stays; free some space, and resume the run."
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc")


def plain_words(error: BaseException) -> str | None:
    """Return what an error means for the person who started the run, or None for what is a defect.

    Parameters
    ----------
    error : BaseException
        Its causes are looked at too: libraries wrap what the system said.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        memory = isinstance(seen, MemoryError) or getattr(seen, "errno", None) == errno.ENOMEM
        # PyTorch on a CPU, CUDA and Apple's GPU each say it in a RuntimeError.
        if memory or (isinstance(seen, RuntimeError) and any(words in text for words in _MEMORY_WORDS)):
            return NO_MEMORY
        if getattr(seen, "errno", None) in FULL_DISK or "no space left on device" in text:
            return NO_DISK
        seen = seen.__cause__ or seen.__context__
    return None
