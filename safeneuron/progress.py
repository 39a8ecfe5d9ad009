"""How long work reports itself: one callable, whoever listens (a page, the terminal, a run)."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called as ``progress(step, fraction)`` with the name of the step and its share done, 0 to 1.

A listener may raise :class:`safeneuron.errors.Cancelled` to stop the work between two items.
"""


def silent(step: str, fraction: float) -> None:
    """Report to nobody."""
