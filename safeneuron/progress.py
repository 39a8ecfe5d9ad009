"""How long work reports itself: one callable, whoever listens (a page, the terminal, a run)."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[str, float], None]
"""Called as ``progress(step, fraction)`` with the name of the step and its share done, 0 to 1.

A listener may raise :class:`safeneuron.errors.Cancelled` to stop the work between two items.
"""

Item = TypeVar("Item")


def silent(step: str, fraction: float) -> None:
    """Report to nobody."""


def track(items: Iterable[Item], total: int, step: str, progress: Progress) -> Iterator[Item]:
    """Yield the items and report after each how much of ``total`` is done."""
    progress(step, 0.0)
    for done, item in enumerate(items, start=1):
        yield item
        progress(step, min(1.0, done / max(total, 1)))
